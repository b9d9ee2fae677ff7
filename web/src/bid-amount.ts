/** Whether what is in the amount field can be bid. */
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { editableMoney, formatMoney } from './money.ts'

/** The largest amount a bid may have, in minor units. */
export const BID_MAX_MINOR = 1_000_000_000_000_000n

/** What is wrong with an amount, in words; undefined when it can be bid now. */
export function amountProblem(
  amount: bigint | undefined,
  { minimumNextBid, currency }: Pick<Item, 'minimumNextBid' | 'currency'>,
): string | undefined {
  if (amount === undefined) return `Write an amount like ${editableMoney(minimumNextBid, currency)}`
  if (amount > BID_MAX_MINOR) return `At most ${formatMoney(BID_MAX_MINOR, currency)}`
  if (amount < minimumNextBid)
    return `Too low now: at least ${formatMoney(minimumNextBid, currency)}`
  return undefined
}
