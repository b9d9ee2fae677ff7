/**
 * One list of bids from what was asked for and what the stream told. An item's bids are numbered without
 * gaps, so it can be said whether any are missing.
 */
import type { Bid } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'

/** As many leaders as the server names. */
const LEADERS = 3

/** Every bid once, newest first. */
export function mergeBids(...lists: readonly (readonly Bid[])[]): Bid[] {
  const bySequence = new Map<bigint, Bid>()
  for (const bid of lists.flat()) bySequence.set(bid.sequence, bid)
  return [...bySequence.values()].toSorted((a, b) => (a.sequence < b.sequence ? 1 : -1))
}

/**
 * Whether bids are missing after the oldest of these: some were not seen while a connection was lost.
 *
 * @param bids newest first
 * @param sequence of the item's last bid
 */
export function bidsMissing(bids: readonly Bid[], sequence: bigint): boolean {
  const oldest = bids.at(-1)
  const newest = bids[0]
  if (!oldest || !newest) return sequence > 0n
  if (newest.sequence < sequence) return true
  return newest.sequence - oldest.sequence + 1n !== BigInt(bids.length)
}

/** The highest bid of each of the leading bidders, highest first. */
export function topBids(bids: readonly Bid[]): Bid[] {
  const byUser = new Map<string, Bid>()
  for (const bid of bids) {
    // Who is not named may be anybody.
    const bidder = bid.userId || bid.id
    const known = byUser.get(bidder)
    if (!known || known.amount < bid.amount) byUser.set(bidder, bid)
  }
  return [...byUser.values()].toSorted((a, b) => (a.amount < b.amount ? 1 : -1)).slice(0, LEADERS)
}

/** The highest bid of one bidder among these; undefined when there is none. */
export function highestOf(bids: readonly Bid[], userId: string): bigint | undefined {
  let highest: bigint | undefined
  for (const bid of bids) {
    if (bid.userId === userId && (highest === undefined || bid.amount > highest))
      highest = bid.amount
  }
  return highest
}
