/**
 * The events of the write side: built here, stored in the outbox by the transaction that makes them true.
 * Rows of one item must be inserted while the item is locked, so that within an item seq order is commit
 * order; the relay keeps that order to the broker.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidPlacedSchema,
  ItemCancelledSchema,
  ItemCreatedSchema,
  ItemEndedSchema,
  ItemOpenedSchema,
  ItemUpdatedSchema,
} from '@bidmesh/gen/events/v1/events_pb.ts'
import type { EventType } from '@bidmesh/platform/broker.ts'
import { lifecycleEventId } from '@bidmesh/platform/event-id.ts'
import { BYTEA_ARRAY } from '@bidmesh/platform/postgres-arrays.ts'
import type { Queryable } from '@bidmesh/platform/postgres.ts'
import { type Head, minimumNextBid, type PlacedBid } from './auction.ts'
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
type ItemText = { title: string; category: string }

/** @param before the head the bid was decided on  @param after the head it made */
export function bidPlaced(
  bid: PlacedBid,
  before: Head,
  after: Head,
  extended: boolean,
  trace: Trace,
): OutboxEvent {
  const payload = toBinary(
    BidPlacedSchema,
    create(BidPlacedSchema, {
      bidId: bid.id,
      itemId: bid.itemId,
      userId: bid.userId,
      amount: bid.amount,
      timestamp: timestampFromMs(bid.createdAtMs),
      sequence: bid.sequence,
      previousHighestBid: before.currentHighestBid,
      previousHighestBidderId: before.highestBidderId,
      minimumNextBid: minimumNextBid(after),
      endAt: timestampFromMs(after.endAtMs),
      extended,
      sellerId: after.sellerId,
      currency: after.currency,
      version: after.version,
    }),
  )
  return event('bid.placed', after, payload, trace, bid.createdAtMs, bid.id)
}

export function itemCreated(head: Head, text: ItemText, trace: Trace, atMs: number): OutboxEvent {
  const message = create(ItemCreatedSchema, {
    itemId: head.itemId,
    sellerId: head.sellerId,
    title: text.title,
    category: text.category,
    currency: head.currency,
    startPrice: head.startPrice,
    startAt: timestampFromMs(head.startAtMs),
    endAt: timestampFromMs(head.endAtMs),
    createdAt: timestampFromMs(atMs),
    version: head.version,
  })
  return event('item.created', head, toBinary(ItemCreatedSchema, message), trace, atMs)
}

export function itemUpdated(head: Head, text: ItemText, trace: Trace, atMs: number): OutboxEvent {
  const message = create(ItemUpdatedSchema, {
    itemId: head.itemId,
    sellerId: head.sellerId,
    title: text.title,
    category: text.category,
    updatedAt: timestampFromMs(atMs),
    version: head.version,
  })
  const payload = toBinary(ItemUpdatedSchema, message)
  // The only event an item can have many times: its version tells them apart.
  const id = lifecycleEventId(`${head.itemId}:${head.version}`, 'item.updated')
  return event('item.updated', head, payload, trace, atMs, id)
}

export function itemOpened(head: Head, trace: Trace, atMs: number): OutboxEvent {
  const message = create(ItemOpenedSchema, {
    itemId: head.itemId,
    sellerId: head.sellerId,
    openedAt: timestampFromMs(atMs),
    endAt: timestampFromMs(head.endAtMs),
    version: head.version,
  })
  return event('item.opened', head, toBinary(ItemOpenedSchema, message), trace, atMs)
}

export function itemEnded(head: Head): OutboxEvent {
  if (!head.outcome) throw new Error(`item ${head.itemId} has not ended`)
  const sold = head.outcome === 'sold'
  const message = create(ItemEndedSchema, {
    itemId: head.itemId,
    sellerId: head.sellerId,
    outcome: outcomes[head.outcome],
    winnerId: sold ? head.highestBidderId : '',
    hammerPrice: sold ? head.currentHighestBid : 0n,
    bidCount: head.sequence,
    sequence: head.sequence,
    endedAt: timestampFromMs(head.endAtMs),
    currency: head.currency,
    version: head.version,
  })
  return event('item.ended', head, toBinary(ItemEndedSchema, message), {}, head.endAtMs)
}

export function itemCancelled(head: Head, reason: string, trace: Trace, atMs: number): OutboxEvent {
  const message = create(ItemCancelledSchema, {
    itemId: head.itemId,
    sellerId: head.sellerId,
    reason,
    cancelledAt: timestampFromMs(atMs),
    version: head.version,
  })
  return event('item.cancelled', head, toBinary(ItemCancelledSchema, message), trace, atMs)
}

function event(
  type: EventType,
  head: Head,
  payload: Uint8Array,
  headers: Trace,
  occurredAtMs: number,
  id = lifecycleEventId(head.itemId, type),
): OutboxEvent {
  return { id, itemId: head.itemId, type, payload, headers, occurredAtMs }
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
