/** What a user's bids have come to, item by item. Pure. */
import { isYou } from '../ui/person-name.ts'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Bid, type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { endMs } from '../item/item-view.ts'

export type Standing = 'leading' | 'outbid' | 'won' | 'lost'

/** A user's bids on one item. */
export type ItemBids = {
  itemId: string
  count: number
  /** Minor units. */
  highest: bigint
  lastMs: number
}

export type MyBid = { item: Item; bids: ItemBids; standing: Standing }

/** In the order in which the items come first: of bids newest first, the last bid on first. */
export function groupByItem(
  bids: readonly Pick<Bid, 'itemId' | 'amount' | 'createdAt'>[],
): readonly ItemBids[] {
  const groups = new Map<string, ItemBids>()
  for (const { itemId, amount, createdAt } of bids) {
    const known = groups.get(itemId) ?? { itemId, count: 0, highest: 0n, lastMs: 0 }
    groups.set(itemId, {
      itemId,
      count: known.count + 1,
      highest: amount > known.highest ? amount : known.highest,
      lastMs: Math.max(known.lastMs, createdAt ? timestampMs(createdAt) : 0),
    })
  }
  return [...groups.values()]
}

/** How the user stands on an item they bid on. */
export function standingOf(
  item: Pick<Item, 'status' | 'outcome' | 'highestBidderId'>,
  userId: string,
): Standing {
  const leads = isYou(item.highestBidderId, userId)
  if (item.status === ItemStatus.CANCELLED) return 'lost'
  // Updates of lists do not name the winner: of a sold item it is the highest bidder.
  if (item.status === ItemStatus.ENDED)
    return leads && item.outcome === ItemOutcome.SOLD ? 'won' : 'lost'
  return leads ? 'leading' : 'outbid'
}

/** The item says more than the bids when the user has bid elsewhere since they were listed. */
export function toMyBid(item: Item, bids: ItemBids, userId: string): MyBid {
  const known = isYou(item.highestBidderId, userId) && item.currentHighestBid > bids.highest
  const highest = known ? item.currentHighestBid : bids.highest
  return { item, bids: { ...bids, highest }, standing: standingOf(item, userId) }
}

/** Those of one standing: what ends soonest first, of what is over the latest first. */
export function ofStanding(all: readonly MyBid[], standing: Standing): readonly MyBid[] {
  const direction = standing === 'leading' || standing === 'outbid' ? 1 : -1
  return all
    .filter((one) => one.standing === standing)
    .toSorted((a, b) => direction * (endMs(a.item) - endMs(b.item)))
}
