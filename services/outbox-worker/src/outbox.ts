/**
 * The outbox table as the relay sees it; all of its SQL is here. Whoever reads or deletes rows of a shard
 * holds that shard's advisory lock until the end of the transaction, so two relays never have one shard.
 */
import type { ReservedSql, Sql } from '@bidmesh/platform/postgres/postgres.ts'

/** Shards of the outbox; the table's CHECK says the same. */
export const SHARD_COUNT = 8

/** First key of the advisory locks, so that they meet no other use of advisory locks in the database. */
export const LOCK_NAMESPACE = 0x0b1d

/** A gauge needs no exact figure beyond this, and counting millions of rows for it would cost seconds. */
const BACKLOG_COUNT_MAX = 100_000

export type OutboxRow = {
  shard: number
  seq: bigint
  id: string
  itemId: string
  type: string
  payload: Buffer
  headers: Record<string, string>
  occurredAt: Date
  /** Of the snapshot the row was read in: no transaction below this id is still running … */
  oldestRunning: string
  /** … and every id from this one on was not given out yet. */
  nextXid: string
}

/** Component of a shard: at most `limit` rows with a higher `seq` than `after`. */
export type Scan = { shard: number; after: bigint; limit: number }

/**
 * Those of the scans that would find a row. One query for all shards, a probe of the primary key each
 * (0.1 ms): this is all an idle relay does. Takes no lock.
 */
export async function findPending(sql: Sql, scans: readonly Scan[]): Promise<Set<number>> {
  const rows = await sql<{ shard: number }[]>`
    SELECT s.shard
    FROM unnest(${shardsOf(scans)}::int[], ${aftersOf(scans)}::bigint[]) AS s (shard, after)
    CROSS JOIN LATERAL (
      SELECT FROM outbox o WHERE o.shard = s.shard AND o.seq > s.after ORDER BY o.seq LIMIT 1
    ) AS found`
  return new Set(rows.map(({ shard }) => shard))
}

/** Locks what is free of these shards until the end of the transaction, without waiting. */
export function takeShards(sql: ReservedSql, shards: readonly number[]) {
  return sql<{ shard: number }[]>`
    SELECT shard FROM unnest(${[...shards]}::int[]) AS s (shard)
    WHERE pg_try_advisory_xact_lock(${LOCK_NAMESPACE}::int, shard)`
}

/**
 * Rows of all scans, each shard's in `seq` order. A statement of its own, after the lock: its snapshot must
 * be younger than the commit of whoever held the lock before.
 */
export function readRows(sql: ReservedSql, scans: readonly Scan[]) {
  return sql<OutboxRow[]>`
    SELECT o.*,
      pg_snapshot_xmin(p.snapshot)::text AS "oldestRunning",
      pg_snapshot_xmax(p.snapshot)::text AS "nextXid"
    FROM pg_current_snapshot() AS p (snapshot)
    CROSS JOIN unnest(
      ${shardsOf(scans)}::int[], ${aftersOf(scans)}::bigint[], ${scans.map(({ limit }) => limit)}::int[]
    ) AS s (shard, after, most)
    CROSS JOIN LATERAL (
      SELECT shard, seq, id, item_id AS "itemId", type, payload, headers, occurred_at AS "occurredAt"
      FROM outbox WHERE shard = s.shard AND seq > s.after ORDER BY seq LIMIT s.most
    ) AS o`
}

/**
 * Deletes exactly these rows. Never a range of `seq`: a row that became visible meanwhile may lie in it.
 */
export function deleteRows(sql: ReservedSql, rows: readonly OutboxRow[]) {
  return sql`
    DELETE FROM outbox AS o
    USING unnest(
      ${rows.map(({ shard }) => shard)}::int[], ${rows.map(({ seq }) => String(seq))}::bigint[]
    ) AS d (shard, seq)
    WHERE o.shard = d.shard AND o.seq = d.seq`
}

export type Backlog = {
  /** Rows not relayed yet; exact up to 100,000. */
  rows: number
  /** Age of the oldest, by the database's clock; 0 when there is none. */
  oldestAgeS: number
}

/** What waits in the outbox now, for metrics. */
export async function measureBacklog(sql: Sql): Promise<Backlog> {
  const [backlog] = await sql<Backlog[]>`
    SELECT
      (SELECT count(*)::int FROM (SELECT FROM outbox LIMIT ${BACKLOG_COUNT_MAX}) AS counted) AS rows,
      coalesce((
        SELECT greatest(0, extract(epoch FROM clock_timestamp() - min(oldest.occurred_at)))::float8
        FROM generate_series(0, ${SHARD_COUNT - 1}::int) AS s (shard)
        CROSS JOIN LATERAL (
          SELECT occurred_at FROM outbox o WHERE o.shard = s.shard ORDER BY o.seq LIMIT 1
        ) AS oldest
      ), 0) AS "oldestAgeS"`
  return backlog ?? { rows: 0, oldestAgeS: 0 }
}

function shardsOf(scans: readonly Scan[]): number[] {
  return scans.map(({ shard }) => shard)
}

function aftersOf(scans: readonly Scan[]): string[] {
  return scans.map(({ after }) => String(after))
}
