/** Which bids are asked about once more: a digit too many is bought for good. Pure. */
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { fractionDigits } from '../ui/money.ts'
import { raiseSteps } from './raise-steps.ts'

/** A bid of more than so many times the minimum is rarely meant. */
const TIMES = 2n

/**
 * Nor is one that is so much above the minimum, in whole units: about what a thousand euros buy, of the
 * currencies that the form to sell offers. Of others, the factor alone decides.
 */
const farAbove: Readonly<Record<string, bigint>> = {
  EUR: 1_000n,
  USD: 1_000n,
  GBP: 1_000n,
  CHF: 1_000n,
  CAD: 1_500n,
  AUD: 1_500n,
  SEK: 10_000n,
  NOK: 10_000n,
  DKK: 7_500n,
  PLN: 4_000n,
  CZK: 25_000n,
  JPY: 150_000n,
  CNY: 8_000n,
  INR: 100_000n,
  BRL: 6_000n,
}

/** Whether to ask before placing it. Amounts that the page itself offers are no slips of a finger. */
export function isHighBid(
  amount: bigint,
  item: Pick<Item, 'minimumNextBid' | 'currentHighestBid' | 'minIncrement' | 'currency'>,
): boolean {
  const { minimumNextBid, currency } = item
  if (raiseSteps(item).includes(amount)) return false
  const units = farAbove[currency]
  const far = units && units * 10n ** BigInt(fractionDigits(currency))
  return amount > minimumNextBid * TIMES || (far !== undefined && amount - minimumNextBid > far)
}

/** "9 times", "2.5 times": how often the minimum goes into it, never said to be more than it is. */
export function timesMinimum(amount: bigint, minimumNextBid: bigint): string {
  const tenths = (amount * 10n) / minimumNextBid
  const whole = tenths < 100n ? Number(tenths) / 10 : tenths / 10n
  return `${new Intl.NumberFormat().format(whole)} times`
}
