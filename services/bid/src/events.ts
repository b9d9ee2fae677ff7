/**
 * The events of the write side: built here, stored in the outbox by the transaction that makes them true.
 * Rows of one item must be inserted while the item is locked, so that within an item seq order is commit
 * order; the relay keeps that order to the broker.
 */
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import type {
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
import type { EventType } from '@bidmesh/platform/broker.ts'
import { lifecycleEventId } from '@bidmesh/platform/event-id.ts'
import { BYTEA_ARRAY } from '@bidmesh/platform/postgres-arrays.ts'
import type { Queryable } from '@bidmesh/platform/postgres.ts'
import { outcomes } from './item-row.ts'

/** Shards of the outbox: how many relays can work at once. Stored with each row, so it cannot be changed alone. */
const OUTBOX_SHARDS = 8

/** A row for the outbox. */
export type OutboxEvent = {
  id: string
  itemId: string
  type: EventType
  payload: Uint8Array
  /** W3C trace context of the request that caused it; empty when that is not sampled. */
  headers: Readonly<Record<string, string>>
  occurredAtMs: number
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

export function itemCreated({ terms, atMs, version }: Created, context: EventContext): OutboxEvent {
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
  return lifecycleEvent('item.created', terms.itemId, payload, context.trace, atMs)
}

/** @param before the state the event was decided on  @param after the state it has made */
export function toOutbox(
  event: Change,
  before: AuctionState,
  after: AuctionState,
  context: EventContext,
): OutboxEvent {
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
): OutboxEvent {
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
    type: 'bid.placed',
    payload,
    headers: trace,
    occurredAtMs: event.atMs,
  }
}

/** What a bid that moved the end has done to it. */
export function lateBidExtension({ endAtMs }: AuctionState) {
  return { reason: ExtensionReason.LATE_BID, endAt: timestampFromMs(endAtMs) }
}

function itemUpdated(event: Edited, after: AuctionState, context: EventContext): OutboxEvent {
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
  return repeatedEvent('item.updated', itemId, payload, context.trace, event)
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
): OutboxEvent {
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
  return repeatedEvent('item.extended', itemId, payload, trace, event)
}

function itemOpened(event: Opened, after: AuctionState, { trace }: EventContext): OutboxEvent {
  const message = create(ItemOpenedSchema, {
    itemId: after.itemId,
    sellerId: after.sellerId,
    openedAt: timestampFromMs(event.atMs),
    endAt: timestampFromMs(after.endAtMs),
    version: event.version,
  })
  const payload = toBinary(ItemOpenedSchema, message)
  return lifecycleEvent('item.opened', after.itemId, payload, trace, event.atMs)
}

/** Told as of the end, whenever the auctioneer came by. */
function itemEnded(
  event: Ended,
  before: AuctionState,
  after: AuctionState,
  { trace }: EventContext,
): OutboxEvent {
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
  return lifecycleEvent('item.ended', after.itemId, payload, trace, after.endAtMs)
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
  return lifecycleEvent('item.cancelled', after.itemId, payload, trace, event.atMs)
}

/** Of a type that an item has once. */
function lifecycleEvent(
  type: EventType,
  itemId: string,
  payload: Uint8Array,
  headers: Trace,
  occurredAtMs: number,
): OutboxEvent {
  return { id: lifecycleEventId(itemId, type), itemId, type, payload, headers, occurredAtMs }
}

/** Of a type that an item can have many times: its version tells them apart. */
function repeatedEvent(
  type: EventType,
  itemId: string,
  payload: Uint8Array,
  headers: Trace,
  { version, atMs }: { version: bigint; atMs: number },
): OutboxEvent {
  const id = lifecycleEventId(`${itemId}:${version}`, type)
  return { ...lifecycleEvent(type, itemId, payload, headers, atMs), id }
}

/** The outbox shard of an item: from the random tail of its UUID. */
function shardOf(itemId: string): number {
  return Number.parseInt(itemId.slice(-4), 16) % OUTBOX_SHARDS
}

/** `INSERT INTO outbox …` in the order given, as a fragment: a statement of its own or the tail of a CTE. */
export function insertOutbox(sql: Queryable, events: readonly OutboxEvent[]) {
  return sql`
    INSERT INTO outbox (shard, id, item_id, type, payload, headers, occurred_at)
    SELECT shard, id, item_id, type, payload, headers::jsonb, occurred_at
    FROM unnest(
      ${events.map((each) => shardOf(each.itemId))}::smallint[],
      ${events.map((each) => each.id)}::uuid[],
      ${events.map((each) => each.itemId)}::uuid[],
      ${events.map((each) => each.type)}::text[],
      ${sql.array(
        events.map((each) => Buffer.from(each.payload)),
        BYTEA_ARRAY,
      )}::bytea[],
      ${events.map((each) => JSON.stringify(each.headers))}::text[],
      ${events.map((each) => new Date(each.occurredAtMs).toISOString())}::timestamptz[]
    ) WITH ORDINALITY AS e (shard, id, item_id, type, payload, headers, occurred_at, position)
    ORDER BY position`
}
