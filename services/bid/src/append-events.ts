/**
 * Where events are kept: the outbox, the history and the audit log, written by the transaction that makes them true, with the bids they tell of. Rows of one item
 * must be inserted while the item is locked, so that within an item seq order is commit order; the relay keeps that
 * order to the broker.
 */
import type { Command } from '@bidmesh/auction/commands.ts'
import { RULES_VERSION } from '@bidmesh/auction/rules-version.ts'
import type { EncodedEvent } from '@bidmesh/events/encode-event.ts'
import { bareArray, bytesArray } from '@bidmesh/platform/postgres/postgres-arrays.ts'
import type { Origin } from '@bidmesh/platform/identity/origin.ts'
import type { Queryable } from '@bidmesh/platform/postgres/postgres.ts'
import { linkHash } from './event-chain.ts'

/** Shards of the outbox: how many relays can work at once. Stored with each row, so it cannot be changed alone. */
const OUTBOX_SHARDS = 8

/** With its place in the item's history. */
export type ChainedEvent = EncodedEvent & {
  hash: Buffer
  actor: Actor
  /** Of `bid.placed`: what its row has beside the event. */
  bid: BidFacts | undefined
}

/** Whose doing an event is. */
export type Actor = {
  /** Empty: the auctioneer. */
  userId: string
  origin: Origin
}

export type BidFacts = { userId: string; amount: bigint; sequence: bigint }

export function actorOf(command: Command, origin: Origin): Actor {
  if (command.kind === 'settle') return { userId: '', origin }
  return { userId: command.kind === 'place_bid' ? command.userId : command.by.userId, origin }
}

/** @param previous hash of the item's event before; `NO_HASH` for the first */
export function chained(
  event: EncodedEvent,
  previous: Uint8Array,
  actor: Actor,
  bid?: BidFacts,
): ChainedEvent {
  return { ...event, hash: linkHash(previous, event), actor, bid }
}

/** The outbox shard of an item: from the random tail of its UUID. */
function shardOf(itemId: string): number {
  return Number.parseInt(itemId.slice(-4), 16) % OUTBOX_SHARDS
}

/**
 * Appends to outbox, history and audit log, in the order given, and of bids their rows: the end of a statement, to come after `WITH`
 * or after other queries of a WITH and a comma. Times go as milliseconds: to read a text of them takes Postgres as long as
 * to make it takes us.
 */
export function insertEvents(sql: Queryable, events: readonly ChainedEvent[]) {
  return sql`
    new_events AS (
      SELECT *, ${timestampOf(sql, 'occurred_ms')} AS occurred_at,
        ${timestampOf(sql, 'recorded_ms')} AS recorded_at
      FROM unnest(
        ${bareArray(events, ({ itemId }) => shardOf(itemId))}::smallint[],
        ${bareArray(events, ({ id }) => id)}::uuid[],
        ${bareArray(events, ({ itemId }) => itemId)}::uuid[],
        ${bareArray(events, ({ version }) => version)}::bigint[],
        ${bareArray(events, ({ type }) => type)}::text[],
        ${bytesArray(events, ({ payload }) => payload)}::bytea[],
        ${events.map(({ headers }) => JSON.stringify(headers))}::text[],
        ${bareArray(events, ({ occurredAtMs }) => occurredAtMs)}::bigint[],
        ${bareArray(events, ({ recordedAtMs }) => recordedAtMs)}::bigint[],
        ${bytesArray(events, ({ hash }) => hash)}::bytea[],
        ${events.map(({ bid }) => bid?.userId ?? null)}::text[],
        ${bareArray(events, ({ bid }) => bid?.amount ?? null)}::bigint[],
        ${bareArray(events, ({ bid }) => bid?.sequence ?? null)}::bigint[],
        ${events.map(({ actor }) => actor.userId)}::text[],
        ${events.map(({ actor }) => actor.origin.address)}::text[],
        ${events.map(({ actor }) => actor.origin.userAgent)}::text[],
        ${events.map(({ actor }) => actor.origin.requestId)}::text[]
      ) WITH ORDINALITY AS e (shard, id, item_id, version, type, payload, headers, occurred_ms, recorded_ms, hash,
        user_id, amount, sequence, actor_id, address, user_agent, request_id, position)
    ), history AS (
      INSERT INTO item_events (item_id, version, recorded_at, id, type, payload, hash)
      SELECT item_id, version, recorded_at, id, type, payload, hash FROM new_events
    ), new_bids AS (
      INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
      SELECT item_id, sequence, id, user_id, amount, occurred_at FROM new_events
      WHERE sequence IS NOT NULL
    ), audit AS (
      INSERT INTO audit_entries (recorded_at, id, action, user_id, item_id, version, address, user_agent,
        request_id, rules_version)
      SELECT recorded_at, id, type, actor_id, item_id, version, address, user_agent, request_id,
        ${RULES_VERSION}::smallint
      FROM new_events
    )
    INSERT INTO outbox (shard, id, item_id, type, payload, headers, occurred_at)
    SELECT shard, id, item_id, type, payload, headers::jsonb, occurred_at FROM new_events
    ORDER BY position`
}

/** Of a column of milliseconds since 1970. In two parts, for Postgres multiplies intervals as doubles: of 2^53 µs at most. */
export function timestampOf(sql: Queryable, column: string) {
  return sql`(timestamptz 'epoch' + ${sql(column)} / 1000 * interval '1 second'
    + ${sql(column)} % 1000 * interval '1 millisecond')`
}
