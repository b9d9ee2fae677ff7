/**
 * What an event does to an item, and what viewers are told of it. Pure. An event applies to the version
 * before its own and to no other: the caller keeps the order.
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import type { BidPlaced, ItemEnded, ItemExtended } from '@bidmesh/gen/events/v1/events_pb.ts'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import type { ItemEvent } from '@bidmesh/events/decode-event.ts'

export type Change = {
  item: Item
  /** In order; without server time and without the fields that are about the caller. */
  messages: readonly WatchItemResponse[]
}

type Told = NonNullable<MessageInitShape<typeof WatchItemResponseSchema>['event']>

/**
 * Undefined for an event that does not carry all it changed (`item.updated` has no pictures, for one):
 * the item must be read anew.
 */
export function applyEvent(item: Item, event: ItemEvent): Change | undefined {
  switch (event.type) {
    case 'bid.placed':
      return bidPlaced(item, event.message)
    case 'item.opened': {
      const { endAt, version } = event.message
      return change(item, { status: ItemStatus.ACTIVE, endAt, version }, [
        { case: 'opened', value: { ...(endAt && { endAt }) } },
      ])
    }
    case 'item.extended':
      return itemExtended(item, event.message)
    case 'item.ended':
      return itemEnded(item, event.message)
    case 'item.cancelled': {
      const { reason, version } = event.message
      return change(item, { status: ItemStatus.CANCELLED, cancelReason: reason, version }, [
        { case: 'cancelled', value: { reason } },
      ])
    }
    case 'item.created':
    case 'item.updated':
      break
  }
  return undefined
}

function bidPlaced(item: Item, bid: BidPlaced): Change {
  const extensionCount = item.extensionCount + (bid.extended ? 1 : 0)
  const { endAt } = bid
  const placed: Told = {
    case: 'bidPlaced',
    value: {
      bid: {
        id: bid.bidId,
        itemId: bid.itemId,
        userId: bid.userId,
        amount: bid.amount,
        ...(bid.timestamp && { createdAt: bid.timestamp }),
        sequence: bid.sequence,
      },
      minimumNextBid: bid.minimumNextBid,
      ...(endAt && { endAt }),
      extended: bid.extended,
      previousHighestBidderId: bid.previousHighestBidderId,
    },
  }
  const reason = bid.extension?.reason ?? ExtensionReason.LATE_BID
  const moved: Told = {
    case: 'endMoved',
    value: { ...(endAt && { endAt }), extensionCount, reason },
  }
  return change(
    item,
    {
      currentHighestBid: bid.amount,
      highestBidderId: bid.userId,
      sequence: bid.sequence,
      bidCount: bid.sequence,
      minimumNextBid: bid.minimumNextBid,
      endAt,
      extensionCount,
      updatedAt: bid.timestamp,
      version: bid.version,
    },
    bid.extended ? [placed, moved] : [placed],
  )
}

/** The end it was given last is the original one, from which bids move it on. */
function itemExtended(item: Item, { extension, reason, version }: ItemExtended): Change {
  const { endAt } = extension ?? {}
  const moved: Told = {
    case: 'endMoved',
    value: {
      ...(endAt && { endAt }),
      extensionCount: item.extensionCount,
      ...(extension && { reason: extension.reason }),
      comment: reason,
    },
  }
  return change(item, { endAt, originalEndAt: endAt, version }, [moved])
}

function itemEnded(item: Item, ended: ItemEnded): Change {
  const { outcome, winnerId, hammerPrice, endedAt, version } = ended
  const sold = outcome === ItemOutcome.SOLD
  return change(
    item,
    {
      status: ItemStatus.ENDED,
      outcome,
      winnerId: sold ? winnerId : '',
      hammerPrice: sold ? hammerPrice : 0n,
      // Before its time, when somebody ended it.
      endAt: endedAt,
      version,
    },
    [{ case: 'ended', value: { outcome, winnerId, hammerPrice, ...(endedAt && { endedAt }) } }],
  )
}

function change(item: Item, changed: Partial<Item>, told: readonly Told[]): Change {
  const after = { ...item, ...changed }
  const { sequence, version } = after
  return {
    item: after,
    messages: told.map((event) => create(WatchItemResponseSchema, { sequence, version, event })),
  }
}
