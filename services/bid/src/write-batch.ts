/**
 * The only way in which items change and bids come about: a decided batch in one statement, with its events in outbox
 * and history. Texts, which few batches have, are a second one.
 */
import { bareArray, bytesArray } from '@bidmesh/platform/postgres/postgres-arrays.ts'
import type { Queryable } from '@bidmesh/platform/postgres/postgres.ts'
import type { ChangedTexts, DecidedBatch } from './decide-batch.ts'
import { insertEvents, timestampOf } from './append-events.ts'

export function writeBatch(sql: Queryable, { bids, changed, events }: DecidedBatch) {
  const items = [...changed.values()]
  const keyed = bids.filter(({ idempotencyKey }) => idempotencyKey !== '')
  return sql`
    WITH new_keys AS (
      INSERT INTO bid_keys (user_id, idempotency_key, item_id, sequence, created_at)
      SELECT user_id, idempotency_key, item_id, sequence, ${timestampOf(sql, 'created_ms')}
      FROM unnest(
        ${keyed.map((bid) => bid.userId)}::text[],
        ${keyed.map((bid) => bid.idempotencyKey)}::text[],
        ${bareArray(keyed, (bid) => bid.itemId)}::uuid[],
        ${bareArray(keyed, (bid) => bid.sequence)}::bigint[],
        ${bareArray(keyed, (bid) => bid.createdAtMs)}::bigint[]
      ) AS k (user_id, idempotency_key, item_id, sequence, created_ms)
    ), new_states AS (
      UPDATE items SET
        status = s.status,
        outcome = s.outcome,
        end_at = ${timestampOf(sql, 'end_ms')},
        original_end_at = ${timestampOf(sql, 'original_end_ms')},
        extension_count = s.extension_count,
        current_highest_bid = s.current_highest_bid,
        highest_bidder_id = s.highest_bidder_id,
        sequence = s.sequence,
        version = s.version,
        history_hash = s.history_hash,
        updated_at = ${timestampOf(sql, 'at_ms')}
      FROM unnest(
        ${bareArray(items, ({ state }) => state.itemId)}::uuid[],
        ${bareArray(items, ({ state }) => state.status)}::text[],
        ${bareArray(items, ({ state }) => state.outcome)}::text[],
        ${bareArray(items, ({ state }) => state.endAtMs)}::bigint[],
        ${bareArray(items, ({ state }) => state.originalEndAtMs)}::bigint[],
        ${bareArray(items, ({ state }) => state.extensionCount)}::integer[],
        ${bareArray(items, ({ state }) => state.currentHighestBid)}::bigint[],
        ${items.map(({ state }) => state.highestBidderId)}::text[],
        ${bareArray(items, ({ state }) => state.sequence)}::bigint[],
        ${bareArray(items, ({ state }) => state.version)}::bigint[],
        ${bytesArray(items, ({ historyHash }) => historyHash)}::bytea[],
        ${bareArray(items, ({ atMs }) => atMs)}::bigint[]
      ) AS s (id, status, outcome, end_ms, original_end_ms, extension_count, current_highest_bid,
        highest_bidder_id, sequence, version, history_hash, at_ms)
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
