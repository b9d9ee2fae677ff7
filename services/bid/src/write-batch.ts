/**
 * The only way in which items change and bids come about: a decided batch in one statement, with its events in outbox
 * and history. Texts, which few batches have, are a second one.
 */
import { BYTEA_ARRAY } from '@bidmesh/platform/postgres/postgres-arrays.ts'
import type { Queryable } from '@bidmesh/platform/postgres/postgres.ts'
import type { ChangedTexts, DecidedBatch } from './decide-batch.ts'
import { insertEvents } from './append-events.ts'

export function writeBatch(sql: Queryable, { bids, changed, events }: DecidedBatch) {
  const items = [...changed.values()]
  const states = items.map(({ state }) => state)
  const keyed = bids.filter(({ idempotencyKey }) => idempotencyKey !== '')
  return sql`
    WITH new_bids AS (
      INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
      SELECT * FROM unnest(
        ${bids.map((bid) => bid.itemId)}::uuid[],
        ${bids.map((bid) => String(bid.sequence))}::bigint[],
        ${bids.map((bid) => bid.id)}::uuid[],
        ${bids.map((bid) => bid.userId)}::text[],
        ${bids.map((bid) => String(bid.amount))}::bigint[],
        ${bids.map((bid) => isoOf(bid.createdAtMs))}::timestamptz[]
      )
    ), new_keys AS (
      INSERT INTO bid_keys (user_id, idempotency_key, item_id, sequence, created_at)
      SELECT * FROM unnest(
        ${keyed.map((bid) => bid.userId)}::text[],
        ${keyed.map((bid) => bid.idempotencyKey)}::text[],
        ${keyed.map((bid) => bid.itemId)}::uuid[],
        ${keyed.map((bid) => String(bid.sequence))}::bigint[],
        ${keyed.map((bid) => isoOf(bid.createdAtMs))}::timestamptz[]
      )
    ), new_states AS (
      UPDATE items SET
        status = s.status,
        outcome = s.outcome,
        end_at = s.end_at,
        original_end_at = s.original_end_at,
        extension_count = s.extension_count,
        current_highest_bid = s.current_highest_bid,
        highest_bidder_id = s.highest_bidder_id,
        sequence = s.sequence,
        version = s.version,
        history_hash = s.history_hash,
        updated_at = s.updated_at
      FROM unnest(
        ${states.map((state) => state.itemId)}::uuid[],
        ${states.map((state) => state.status)}::text[],
        ${states.map((state) => state.outcome)}::text[],
        ${states.map((state) => isoOf(state.endAtMs))}::timestamptz[],
        ${states.map((state) => isoOf(state.originalEndAtMs))}::timestamptz[],
        ${states.map((state) => state.extensionCount)}::integer[],
        ${states.map((state) => String(state.currentHighestBid))}::bigint[],
        ${states.map((state) => state.highestBidderId)}::text[],
        ${states.map((state) => String(state.sequence))}::bigint[],
        ${states.map((state) => String(state.version))}::bigint[],
        ${sql.array(
          items.map(({ historyHash }) => Buffer.from(historyHash)),
          BYTEA_ARRAY,
        )}::bytea[],
        ${items.map(({ atMs }) => isoOf(atMs))}::timestamptz[]
      ) AS s (id, status, outcome, end_at, original_end_at, extension_count, current_highest_bid,
        highest_bidder_id, sequence, version, history_hash, updated_at)
      WHERE items.id = s.id
    ), ${insertEvents(sql, events)}`
}

/** What is not in a row's texts stays as it is. */
export function writeTexts(sql: Queryable, texts: ReadonlyMap<string, ChangedTexts>) {
  const rows = [...texts.values()]
  return sql`
    UPDATE items SET
      title = coalesce(t.title, items.title),
      description = coalesce(t.description, items.description),
      images = CASE WHEN t.images IS NULL THEN items.images
        ELSE ARRAY(SELECT jsonb_array_elements_text(t.images::jsonb)) END,
      category = coalesce(t.category, items.category),
      cancel_reason = coalesce(t.cancel_reason, items.cancel_reason)
    FROM unnest(
      ${[...texts.keys()]}::uuid[],
      ${rows.map(({ title }) => title ?? null)}::text[],
      ${rows.map(({ description }) => description ?? null)}::text[],
      ${rows.map(({ images }) => (images ? JSON.stringify(images) : null))}::text[],
      ${rows.map(({ category }) => category ?? null)}::text[],
      ${rows.map(({ cancelReason }) => cancelReason ?? null)}::text[]
    ) AS t (id, title, description, images, category, cancel_reason)
    WHERE items.id = t.id`
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
