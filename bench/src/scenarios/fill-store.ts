/**
 * Fills a store by SQL with items that have a hundred bids each, as the service would have left them a month later: a tenth
 * of the items is open, all bids are among what the rules allow, and every bid has its event in the history. What differs:
 * payloads are all of one event and hashes are not chained, since it would take an hour, and what bids can feel of them is
 * their number and size. Invariants can be checked of the other items.
 */
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { sampleBidEvents } from './sample-events.ts'

export const BIDS_PER_ITEM = 100
const bidders = 10_000
/** In cents, and as much is every raise. */
const startPrice = 100

/** @param sqls two connections: bids and history are filled side by side  @param bids a multiple of 100 */
export async function fillStore(sqls: readonly [Sql, Sql], bids: number): Promise<void> {
  const [sql, other] = sqls
  await fillItems(sql, bids / BIDS_PER_ITEM)
  await Promise.all([
    fillFirstPartition(sql, 'bids', insertBids),
    fillFirstPartition(other, 'item_events', insertHistory),
  ])
  await sql`VACUUM ANALYZE`
  await sql`CHECKPOINT`
}

/** That of this month and before. Without its indexes meanwhile: attaching it makes them anew, in half of the time. */
async function fillFirstPartition(
  sql: Sql,
  table: 'bids' | 'item_events',
  insert: (sql: Sql, partition: string) => Promise<unknown>,
): Promise<void> {
  const [first] = await sql<[{ partition: string; bounds: string }]>`
    SELECT relname AS partition, pg_get_expr(relpartbound, oid) AS bounds FROM pg_class
    WHERE pg_get_expr(relpartbound, oid) LIKE '%MINVALUE%'
      AND oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = ${table}::regclass)`
  const { partition, bounds } = first
  await sql`ALTER TABLE ${sql(table)} DETACH PARTITION ${sql(partition)}`
  await sql`ALTER TABLE ${sql(partition)} DROP CONSTRAINT ${sql(`${partition}_pkey`)}`
  await sql`DROP INDEX IF EXISTS ${sql(`${partition}_by_user`)}`
  await insert(sql, partition)
  await sql`ALTER TABLE ${sql(table)} ATTACH PARTITION ${sql(partition)} ${sql.unsafe(bounds)}`
}

/** Oldest first, as they came. Open ones have a month left. */
async function fillItems(sql: Sql, count: number): Promise<void> {
  await sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price, min_increment,
      soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, created_at, updated_at, start_at,
      original_end_at, end_at, status, outcome, current_highest_bid, highest_bidder_id, sequence, version)
    SELECT ${idAt(sql, sql`t`)}, 'Lamp ' || n, repeat('A lamp. ', 20), '{}', 'lamps-' || n % 50, 'seller-' || n % 1000, 'USD',
      ${startPrice}::bigint, ${startPrice}::bigint, 30000, 30000, 5, t, t, t, until, until,
      CASE WHEN is_open THEN 'active' ELSE 'ended' END, CASE WHEN is_open THEN NULL ELSE 'sold' END,
      ${BIDS_PER_ITEM}::bigint * (${startPrice}::bigint + n % 1000), ${bidder(sql, sql`n`, sql`${BIDS_PER_ITEM}::bigint`)},
      ${BIDS_PER_ITEM}::bigint, ${BIDS_PER_ITEM + 1}::bigint + CASE WHEN is_open THEN 0 ELSE 1 END
    FROM generate_series(1, ${count}::bigint) AS n, LATERAL (
      SELECT n % 10 = 0 AS is_open,
        date_trunc('milliseconds', now()) - (${count + 1}::bigint - n) * (interval '29 days' / ${count}::bigint) AS t
    ) AS placed, LATERAL (
      SELECT t + CASE WHEN is_open THEN interval '60 days' ELSE interval '1 minute' END AS until
    ) AS ended`
}

async function insertBids(sql: Sql, partition: string): Promise<void> {
  await sql`
    INSERT INTO ${sql(partition)} (item_id, sequence, id, user_id, amount, created_at)
    SELECT item.id, s, ${bidId(sql)}, ${bidder(sql, sql`n`, sql`s`)}, s * (current_highest_bid / ${BIDS_PER_ITEM}::bigint), t
    FROM ${storedBids(sql)}`
}

async function insertHistory(sql: Sql, partition: string): Promise<void> {
  const [sample] = sampleBidEvents(1, 1, 1)
  if (sample === undefined) throw new Error('there is no sample event')
  const { payload, type } = sample.event
  await sql`
    INSERT INTO ${sql(partition)} (item_id, version, recorded_at, id, type, payload, hash)
    SELECT item.id, 1 + s, t, ${bidId(sql)}, ${type}, ${Buffer.from(payload)}, decode(random || random, 'hex')
    FROM ${storedBids(sql)}`
}

/** Of each of the filled items `n`, bid number `s` at the time `t`. */
function storedBids(sql: Sql) {
  return sql`(
      SELECT id, created_at, current_highest_bid, substr(title, 6)::bigint AS n,
        (extract(epoch FROM created_at) * 1000)::bigint AS created_ms
      FROM items WHERE category LIKE 'lamps-%' ORDER BY created_at
    ) AS item, generate_series(1, ${BIDS_PER_ITEM}::bigint) AS s, LATERAL (
      SELECT item.created_at + s * interval '200 ms' AS t, md5(n || '-' || s) AS random OFFSET 0
    ) AS placed`
}

type Fragment = ReturnType<Sql>

function bidder(sql: Sql, n: Fragment, s: Fragment): Fragment {
  return sql`'stored-' || (${n} * 7 + ${s} * 13) % ${bidders}::bigint`
}

/** A UUID of version 7 of this time, as the service would have drawn it. */
function idAt(sql: Sql, time: Fragment): Fragment {
  const hex = sql`lpad(to_hex((extract(epoch FROM ${time}) * 1000)::bigint), 12, '0')`
  return sql`(${hex} || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid`
}

/** The same of a stored bid: there are many of them. */
function bidId(sql: Sql): Fragment {
  return sql`(lpad(to_hex(created_ms + s * 200), 12, '0') || '7' || substr(random, 14, 3) || '8' || substr(random, 18))::uuid`
}
