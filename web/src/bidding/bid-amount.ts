/** Whether what is in the amount field can be bid. */
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { formatMoney } from '../ui/money.ts'
import { readingProblem, readMoney } from '../ui/money-text.ts'

/** The largest amount a bid may have, in minor units. */
export const BID_MAX_MINOR = 1_000_000_000_000_000n

/** In minor units, and what is wrong with it in words: an amount without a problem can be bid now. */
export type ReadBid = { amount?: bigint; problem?: string }

export function readBid(
  text: string,
  { minimumNextBid, currency }: Pick<Item, 'minimumNextBid' | 'currency'>,
): ReadBid {
  const read = readMoney(text, currency)
  if (read.kind !== 'amount') {
    return { problem: readingProblem(text, read.kind, currency, minimumNextBid) }
  }
  const amount = read.minor
  if (amount > BID_MAX_MINOR)
    return { amount, problem: `At most ${formatMoney(BID_MAX_MINOR, currency)}` }
  if (amount < minimumNextBid) {
    return { amount, problem: `Too low now: at least ${formatMoney(minimumNextBid, currency)}` }
  }
  return { amount }
}
