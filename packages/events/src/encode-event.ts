/**
 * The events of an item as messages: what the rules decided, encoded as it is published and kept. The bytes are made
 * once, where it is decided, and never anew.
 */
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import type {
  AuctionEvent,
  BidPlaced,
  Cancelled,
  Change,
  Created,
  Edited,
  Ended,
  Extended,
  Opened,
} from '@bidmesh/auction/events.ts'
import { create, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import {
  BidPlacedSchema,
  ItemCancelledSchema,
  ItemCreatedSchema,
  ItemEndedSchema,
  ItemExtendedSchema,
  ItemOpenedSchema,
  ItemUpdatedSchema,
} from '@bidmesh/gen/events/v1/events_pb.ts'
import { lifecycleEventId } from './event-id.ts'
import type { EventType } from './event-types.ts'
import { outcomes } from './item-message.ts'

/** An event as it goes to the outbox, and but for the headers to the history. */
export type EncodedEvent = {
  id: string
  itemId: string
  /** The item's, after the event. */
  version: bigint
  type: EventType
  payload: Uint8Array
  /** W3C trace context of the request that caused it; empty when that is not sampled. */
  headers: Readonly<Record<string, string>>
  occurredAtMs: number
  /** When it was decided: later than it occurred, where the auctioneer was late. */
  recordedAtMs: number
}

type Trace = Readonly<Record<string, string>>

/** What a message tells beside the event and the states around it. */
export type EventContext = {
  /** Of the stored bid; empty for all but `bid_placed`. */
  bidId: string
  /** As they are after the event. */
  title: string
  category: string
  trace: Trace
}

export function encodeCreated(event: Created, context: EventContext): EncodedEvent {
  const { terms, atMs, version } = event
  const message = create(ItemCreatedSchema, {
    itemId: terms.itemId,
    sellerId: terms.sellerId,
    title: context.title,
    category: context.category,
    currency: terms.currency,
    startPrice: terms.startPrice,
    startAt: timestampFromMs(terms.startAtMs),
    endAt: timestampFromMs(terms.endAtMs),
    createdAt: timestampFromMs(atMs),
    version,
  })
  const payload = toBinary(ItemCreatedSchema, message)
  return lifecycleEvent('item.created', event, terms.itemId, payload, context.trace)
}

/** @param before the state the event was decided on  @param after the state it has made */
export function encodeEvent(
  event: Change,
  before: AuctionState,
  after: AuctionState,
  context: EventContext,
): EncodedEvent {
  switch (event.type) {
    case 'bid_placed':
      return bidPlaced(event, before, after, context)
    case 'opened':
      return itemOpened(event, after, context)
    case 'edited':
      return itemUpdated(event, after, context)
    case 'extended':
      return itemExtended(event, before, after, context)
    case 'cancelled':
      return itemCancelled(event, after, context)
    case 'ended':
      break
  }
  return itemEnded(event, before, after, context)
}

function bidPlaced(
  event: BidPlaced,
  before: AuctionState,
  after: AuctionState,
  { bidId, trace }: EventContext,
): EncodedEvent {
  const payload = toBinary(
    BidPlacedSchema,
    create(BidPlacedSchema, {
      bidId,
      itemId: after.itemId,
      userId: event.userId,
      amount: event.amount,
      timestamp: timestampFromMs(event.atMs),
      sequence: event.sequence,
      previousHighestBid: before.currentHighestBid,
      previousHighestBidderId: before.highestBidderId,
      minimumNextBid: minimumNextBid(after),
      endAt: timestampFromMs(event.endAtMs),
      extended: event.extended,
      sellerId: after.sellerId,
      currency: after.currency,
      version: event.version,
      ...(event.extended && { extension: lateBidExtension(after) }),
    }),
  )
  return {
    id: bidId,
    itemId: after.itemId,
    version: event.version,
    type: 'bid.placed',
    payload,
    headers: trace,
    occurredAtMs: event.atMs,
    recordedAtMs: event.atMs,
  }
}

/** What a bid that moved the end has done to it. */
export function lateBidExtension({ endAtMs }: AuctionState) {
  return { reason: ExtensionReason.LATE_BID, endAt: timestampFromMs(endAtMs) }
}

function itemUpdated(event: Edited, after: AuctionState, context: EventContext): EncodedEvent {
  const { itemId, sellerId } = after
  const message = create(ItemUpdatedSchema, {
    itemId,
    sellerId,
    title: context.title,
    category: context.category,
    updatedAt: timestampFromMs(event.atMs),
    version: event.version,
  })
  const payload = toBinary(ItemUpdatedSchema, message)
  return repeatedEvent('item.updated', event, itemId, payload, context.trace)
}

const extensionReasons = {
  seller: ExtensionReason.SELLER,
  operator: ExtensionReason.OPERATOR,
} as const satisfies Record<Extended['by'], ExtensionReason>

function itemExtended(
  event: Extended,
  before: AuctionState,
  after: AuctionState,
  { trace }: EventContext,
): EncodedEvent {
  const { itemId, sellerId } = after
  const message = create(ItemExtendedSchema, {
    itemId,
    sellerId,
    extension: { reason: extensionReasons[event.by], endAt: timestampFromMs(event.endAtMs) },
    previousEndAt: timestampFromMs(before.endAtMs),
    reason: event.reason,
    extendedAt: timestampFromMs(event.atMs),
    version: event.version,
  })
  const payload = toBinary(ItemExtendedSchema, message)
  return repeatedEvent('item.extended', event, itemId, payload, trace)
}

function itemOpened(event: Opened, after: AuctionState, { trace }: EventContext): EncodedEvent {
  const message = create(ItemOpenedSchema, {
    itemId: after.itemId,
    sellerId: after.sellerId,
    openedAt: timestampFromMs(event.atMs),
    endAt: timestampFromMs(after.endAtMs),
    version: event.version,
  })
  const payload = toBinary(ItemOpenedSchema, message)
  return lifecycleEvent('item.opened', event, after.itemId, payload, trace)
}

/** Told as of the end, whenever the auctioneer came by. */
function itemEnded(
  event: Ended,
  before: AuctionState,
  after: AuctionState,
  { trace }: EventContext,
): EncodedEvent {
  const sold = event.outcome === 'sold'
  const message = create(ItemEndedSchema, {
    itemId: after.itemId,
    sellerId: after.sellerId,
    outcome: outcomes[event.outcome],
    winnerId: sold ? after.highestBidderId : '',
    hammerPrice: sold ? after.currentHighestBid : 0n,
    bidCount: after.sequence,
    sequence: after.sequence,
    endedAt: timestampFromMs(after.endAtMs),
    currency: after.currency,
    version: event.version,
    early: event.endAtMs < before.endAtMs,
  })
  const payload = toBinary(ItemEndedSchema, message)
  const occurredAtMs = after.endAtMs
  return { ...lifecycleEvent('item.ended', event, after.itemId, payload, trace), occurredAtMs }
}

function itemCancelled(event: Cancelled, after: AuctionState, { trace }: EventContext) {
  const message = create(ItemCancelledSchema, {
    itemId: after.itemId,
    sellerId: after.sellerId,
    reason: event.reason,
    cancelledAt: timestampFromMs(event.atMs),
    version: event.version,
  })
  const payload = toBinary(ItemCancelledSchema, message)
  return lifecycleEvent('item.cancelled', event, after.itemId, payload, trace)
}

/** Of a type that an item has once. */
function lifecycleEvent(
  type: EventType,
  { version, atMs }: AuctionEvent,
  itemId: string,
  payload: Uint8Array,
  headers: Trace,
): EncodedEvent {
  const id = lifecycleEventId(itemId, type)
  const times = { occurredAtMs: atMs, recordedAtMs: atMs }
  return { id, itemId, version, type, payload, headers, ...times }
}

/** Of a type that an item can have many times: its version tells them apart. */
function repeatedEvent(
  type: EventType,
  event: AuctionEvent,
  itemId: string,
  payload: Uint8Array,
  headers: Trace,
): EncodedEvent {
  const id = lifecycleEventId(`${itemId}:${event.version}`, type)
  return { ...lifecycleEvent(type, event, itemId, payload, headers), id }
}
