/**
 * Opens items that are due and closes those that have ended, a batch per transaction. Any number of
 * auctioneers may run: the row lock is the election (SKIP LOCKED passes over what another one, or a bid,
 * holds), and the database's clock, read after the lock, is the only one that decides.
 */
import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import type { Queryable, Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { type CommandEntry, decideBatch, lockedColumns, type LockedRow } from './decide-batch.ts'
import type { Invalidate } from './execute-batch.ts'
import { writeBatch } from './write-batch.ts'

/**
 * Items per transaction: a flush and four round trips are shared, and nobody waits for them meanwhile. With 10,000
 * ends within a second, and all that follows from them, on two cores: the last one was closed after 1.5, 0.9 and 2.0 s
 * at 500, 150 and 50, and the p99 of bids on others was 112, 52 and 39 ms.
 */
export const CLOSE_BATCH = 150

/** Closes up to {@link CLOSE_BATCH} ended items and returns how many; 0 when none is due or free. */
export async function closeItems(session: Session, invalidate: Invalidate): Promise<number> {
  return await settle(session, ended, invalidate)
}

/** Opens up to {@link CLOSE_BATCH} scheduled items that are due and returns how many. */
export async function openItems(session: Session, invalidate: Invalidate): Promise<number> {
  return await settle(session, due, invalidate)
}

/**
 * Opens or closes one item if it is due, waiting for its lock as long as the session allows: a crowd that
 * bids on after the end would otherwise hold it whenever {@link closeItems} looks.
 */
export async function settleItem(
  session: Session,
  itemId: string,
  invalidate: Invalidate,
): Promise<void> {
  await settle(session, (sql) => one(sql, itemId), invalidate)
}

/**
 * Found by the time at which the statement began, which the index can be asked for; with `clock_timestamp()`, which is another one
 * for each row, every open item is read at each look. (With 100,000 open items the auctioneers that found nothing took 185 ms of CPU a
 * second.)
 */
function ended(sql: Queryable) {
  return sql<LockedRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT ${sql([...lockedColumns])} FROM items
      WHERE status = 'active' AND end_at <= statement_timestamp()
      ORDER BY end_at, id
      LIMIT ${CLOSE_BATCH}
      FOR UPDATE SKIP LOCKED
    )
    SELECT locked.*, clock_timestamp() AS now FROM locked`
}

function due(sql: Queryable) {
  return sql<LockedRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT ${sql([...lockedColumns])} FROM items
      WHERE status = 'scheduled' AND start_at <= statement_timestamp()
      ORDER BY start_at, id
      LIMIT ${CLOSE_BATCH}
      FOR UPDATE SKIP LOCKED
    )
    SELECT locked.*, clock_timestamp() AS now FROM locked`
}

function one(sql: Queryable, itemId: string) {
  return sql<LockedRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT ${sql([...lockedColumns])} FROM items WHERE id = ${itemId} FOR UPDATE
    )
    SELECT locked.*, clock_timestamp() AS now FROM locked`
}

async function settle(
  session: Session,
  lock: (sql: Queryable) => PromiseLike<LockedRow[]>,
  invalidate: Invalidate,
): Promise<number> {
  return await session.transaction(async (transaction) => {
    const [rows] = await transaction.query((sql) => [lock(sql)])
    const batch = decideBatch(
      rows.map((row) => settling(row.id)),
      rows,
    )
    const { changed } = batch
    if (changed.size === 0) return (await transaction.commit(() => [])).map(() => 0)
    const versions = new Map([...changed].map(([id, { state }]) => [id, state.version]))
    const done = await transaction.commit(
      (sql) => [writeBatch(sql, batch)],
      () => invalidate(versions),
    )
    return done.map(() => changed.size)
  })
}

function settling(itemId: string): CommandEntry {
  return { itemId, command: { kind: 'settle' }, idempotencyKey: '', trace: {}, origin: noOrigin }
}

/** As many as may be overdue at once without hiding those that come after them. */
const MAX_NEXT = 200

export type NextItem = {
  id: string
  /** Until it opens or ends, by the database's clock; negative when it is due. */
  waitMs: number
}

/** Items that open or end next, soonest first, those in `without` left out. */
export async function nextItems(sql: Sql, without: readonly string[]): Promise<NextItem[]> {
  return await sql<NextItem[]>`
    SELECT id, (extract(epoch FROM due_at - clock_timestamp()) * 1000)::float8 AS "waitMs" FROM (
      (SELECT id, end_at AS due_at FROM items
        WHERE status = 'active' AND id <> ALL (${[...without]}::uuid[])
        ORDER BY end_at, id LIMIT ${MAX_NEXT})
      UNION ALL
      (SELECT id, start_at FROM items
        WHERE status = 'scheduled' AND id <> ALL (${[...without]}::uuid[])
        ORDER BY start_at, id LIMIT ${MAX_NEXT})
    ) AS next
    ORDER BY due_at`
}
