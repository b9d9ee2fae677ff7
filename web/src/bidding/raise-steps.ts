/** Amounts that are offered for a quick bid: the minimum, and a few round ones above it. */
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { BID_MAX_MINOR } from './bid-amount.ts'

/** Each step goes so many increments up, and to a multiple of so many. */
const jumps = [
  { up: 1n, multiple: 1n },
  { up: 2n, multiple: 5n },
  { up: 5n, multiple: 10n },
] as const

/** The part of a first price that counts as its increment when nobody has bid: a twentieth. */
const FIRST_PART = 20n

/** Rising, in minor units; the first is the minimum next bid. */
export function raiseSteps(
  item: Pick<Item, 'minimumNextBid' | 'currentHighestBid' | 'minIncrement'>,
): bigint[] {
  const { minimumNextBid, currentHighestBid, minIncrement } = item
  const increment =
    currentHighestBid > 0n
      ? minimumNextBid - currentHighestBid
      : minIncrement || minimumNextBid / FIRST_PART
  const unit = roundUnit(increment)
  const steps = [minimumNextBid]
  for (const { up, multiple } of jumps) {
    const last = steps.at(-1) ?? 0n
    const step = roundUp(minimumNextBid + unit * up, unit * multiple)
    steps.push(step > last ? step : roundUp(last + 1n, unit * multiple))
  }
  return steps.filter((step) => step <= BID_MAX_MINOR)
}

/** The least of 1, 2, 5, 10, 20, 50 … that is no less than the amount. */
function roundUnit(amount: bigint): bigint {
  let unit = 1n
  while (unit * 10n < amount) unit *= 10n
  return [unit, unit * 2n, unit * 5n].find((round) => round >= amount) ?? unit * 10n
}

function roundUp(amount: bigint, unit: bigint): bigint {
  return ((amount + unit - 1n) / unit) * unit
}
