/**
 * Who reads what of bidders. With tokens nobody is told who else bids: a foreign id is left empty. One's own id is there, the seller reads the
 * winner's when the item is sold, and operators and services read all.
 */
import { clone, create } from '@bufbuild/protobuf'
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  type Bid,
  type Item,
  type ItemEvent,
  ItemEventSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { BidPlacedSchema, ItemEndedSchema } from '@bidmesh/gen/events/v1/events_pb.ts'

export type Reader = {
  /** Empty: nobody in particular. */
  userId: string
  /** In trusted mode everybody, as everybody may say that they are anybody. */
  seesAll: boolean
}

export function maskedId(id: string, { userId, seesAll }: Reader): string {
  return seesAll || id === userId ? id : ''
}

/** The same message when there is nothing to hide. */
export function maskedItem(item: Item, reader: Reader): Item {
  if (reader.seesAll || item.highestBidderId === '') return item
  const isSold = item.outcome === ItemOutcome.SOLD
  if (item.highestBidderId === reader.userId || (isSold && item.sellerId === reader.userId))
    return item
  return { ...item, highestBidderId: '', winnerId: '' }
}

export function maskedBid(bid: Bid, reader: Reader): Bid {
  return { ...bid, userId: maskedId(bid.userId, reader) }
}

/** Its hash stays that of the event as it was published: only who reads all can hold the one against the other. */
export function maskedEvent(event: ItemEvent, reader: Reader): ItemEvent {
  if (reader.seesAll || !event.event) return event
  const told = (any: ItemEvent['event']): ItemEvent => ({
    ...clone(ItemEventSchema, event),
    ...(any && { event: any }),
  })
  const bid = anyUnpack(event.event, BidPlacedSchema)
  if (bid) {
    const masked = create(BidPlacedSchema, {
      ...bid,
      userId: maskedId(bid.userId, reader),
      previousHighestBidderId: maskedId(bid.previousHighestBidderId, reader),
    })
    return told(anyPack(BidPlacedSchema, masked))
  }
  const ended = anyUnpack(event.event, ItemEndedSchema)
  if (!ended || ended.sellerId === reader.userId) return event
  const winnerId = maskedId(ended.winnerId, reader)
  return told(anyPack(ItemEndedSchema, create(ItemEndedSchema, { ...ended, winnerId })))
}
