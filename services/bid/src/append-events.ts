/**
 * Where events are kept: the outbox and the history, written by the transaction that makes them true. Rows of one item
 * must be inserted while the item is locked, so that within an item seq order is commit order; the relay keeps that
 * order to the broker.
 */
import type { EncodedEvent } from '@bidmesh/events/encode-event.ts'
import { BYTEA_ARRAY } from '@bidmesh/platform/postgres/postgres-arrays.ts'
import type { Queryable } from '@bidmesh/platform/postgres/postgres.ts'
import { linkHash } from './event-chain.ts'

/** Shards of the outbox: how many relays can work at once. Stored with each row, so it cannot be changed alone. */
const OUTBOX_SHARDS = 8

/** With its place in the item's history. */
export type ChainedEvent = EncodedEvent & { hash: Buffer }

/** @param previous hash of the item's event before; `NO_HASH` for the first */
export function chained(event: EncodedEvent, previous: Uint8Array): ChainedEvent {
  return { ...event, hash: linkHash(previous, event) }
}

/** The outbox shard of an item: from the random tail of its UUID. */
function shardOf(itemId: string): number {
  return Number.parseInt(itemId.slice(-4), 16) % OUTBOX_SHARDS
}

/**
 * Appends to outbox and history, in the order given: the end of a statement, to come after `WITH` or after other
 * queries of a WITH and a comma.
 */
export function insertEvents(sql: Queryable, events: readonly ChainedEvent[]) {
  return sql`
    new_events AS (
      SELECT * FROM unnest(
        ${events.map((each) => shardOf(each.itemId))}::smallint[],
        ${events.map((each) => each.id)}::uuid[],
        ${events.map((each) => each.itemId)}::uuid[],
        ${events.map((each) => String(each.version))}::bigint[],
        ${events.map((each) => each.type)}::text[],
        ${sql.array(
          events.map((each) => Buffer.from(each.payload)),
          BYTEA_ARRAY,
        )}::bytea[],
        ${events.map((each) => JSON.stringify(each.headers))}::text[],
        ${events.map((each) => new Date(each.occurredAtMs).toISOString())}::timestamptz[],
        ${events.map((each) => new Date(each.recordedAtMs).toISOString())}::timestamptz[],
        ${sql.array(
          events.map((each) => each.hash),
          BYTEA_ARRAY,
        )}::bytea[]
      ) WITH ORDINALITY AS e (shard, id, item_id, version, type, payload, headers, occurred_at, recorded_at, hash,
        position)
    ), history AS (
      INSERT INTO item_events (item_id, version, recorded_at, id, type, payload, hash)
      SELECT item_id, version, recorded_at, id, type, payload, hash FROM new_events
    )
    INSERT INTO outbox (shard, id, item_id, type, payload, headers, occurred_at)
    SELECT shard, id, item_id, type, payload, headers::jsonb, occurred_at FROM new_events
    ORDER BY position`
}
