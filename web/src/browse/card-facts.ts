/** What a card says of an item, for whoever looks at it. Pure. */
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'

export type CardFacts = {
  /** What is most worth knowing, in a word or two; undefined for an ordinary open item. */
  badge: { label: string; color: string } | undefined
  /** Minor units. */
  price: bigint
  priceLabel: string
  bids: string
}

export function cardFacts(item: Item, userId: string): CardFacts {
  const bids =
    item.bidCount === 1n ? '1 bid' : `${item.bidCount === 0n ? 'No' : item.bidCount} bids`
  return { badge: badgeOf(item, userId), ...priceOf(item), bids }
}

function badgeOf(item: Item, userId: string): CardFacts['badge'] {
  const leads = userId !== '' && item.highestBidderId === userId
  switch (item.status) {
    case ItemStatus.SCHEDULED:
      return { label: 'Upcoming', color: 'blue.8' }
    case ItemStatus.CANCELLED:
      return { label: 'Cancelled', color: 'gray.7' }
    case ItemStatus.ENDED:
      // Updates of lists do not name the winner: of a sold item it is the highest bidder.
      if (item.outcome === ItemOutcome.SOLD)
        return leads ? { label: 'You won', color: 'baize.7' } : { label: 'Sold', color: 'gray.7' }
      return { label: 'Not sold', color: 'gray.7' }
    case ItemStatus.ACTIVE:
    case ItemStatus.UNSPECIFIED:
    default:
      if (leads) return { label: 'You lead', color: 'baize.7' }
      return userId !== '' && item.sellerId === userId
        ? { label: 'Your item', color: 'blue.8' }
        : undefined
  }
}

function priceOf(item: Item): Pick<CardFacts, 'price' | 'priceLabel'> {
  const { currentHighestBid: highest, hammerPrice, outcome, startPrice } = item
  if (outcome === ItemOutcome.SOLD) return { price: hammerPrice, priceLabel: 'Sold for' }
  if (highest > 0n) return { price: highest, priceLabel: 'Current bid' }
  return { price: startPrice, priceLabel: 'Starting price' }
}
