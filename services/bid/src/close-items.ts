/**
 * Opens items that are due and closes those that have ended, a batch per transaction. Any number of
 * auctioneers may run: the row lock is the election (SKIP LOCKED passes over what another one, or a bid,
 * holds), and the database's clock, read after the lock, is the only one that decides.
 */
import type { Queryable, Sql } from '@bidmesh/platform/postgres.ts'
import type { Session } from '@bidmesh/platform/session.ts'
import { closeItem, type Head, openItem } from './auction.ts'
import { insertOutbox, itemEnded, itemOpened, type OutboxEvent } from './events.ts'
import { headColumns, headFromRow, type HeadRow } from './item-row.ts'
import type { Invalidate } from './place-bids.ts'

/** Items per transaction: small enough that a bid never waits long for one of them. */
export const CLOSE_BATCH = 100

type DueRow = HeadRow & { now: Date }

/** Closes up to {@link CLOSE_BATCH} ended items and returns how many; 0 when none is due or free. */
export async function closeItems(session: Session, invalidate: Invalidate): Promise<number> {
  return await settle(session, (sql) => ended(sql, CLOSE_BATCH, true), closing, invalidate)
}

/**
 * Closes the item that is longest overdue, waiting for its lock: a crowd that bids on after the end would
 * otherwise hold it whenever {@link closeItems} looks. One item only, so that it cannot deadlock.
 */
export async function closeOverdueItem(session: Session, invalidate: Invalidate): Promise<number> {
  return await settle(session, (sql) => ended(sql, 1, false), closing, invalidate)
}

/** Opens up to {@link CLOSE_BATCH} scheduled items that are due and returns how many. */
export async function openItems(session: Session, invalidate: Invalidate): Promise<number> {
  return await settle(session, due, opening, invalidate)
}

function ended(sql: Queryable, limit: number, skipLocked: boolean) {
  return sql<DueRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT ${sql([...headColumns])} FROM items
      WHERE status = 'active' AND end_at <= clock_timestamp()
      ORDER BY end_at, id
      LIMIT ${limit}
      FOR UPDATE ${skipLocked ? sql`SKIP LOCKED` : sql``}
    )
    SELECT locked.*, clock_timestamp() AS now FROM locked`
}

function due(sql: Queryable) {
  return sql<DueRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT ${sql([...headColumns])} FROM items
      WHERE status = 'scheduled' AND start_at <= clock_timestamp()
      ORDER BY start_at, id
      LIMIT ${CLOSE_BATCH}
      FOR UPDATE SKIP LOCKED
    )
    SELECT locked.*, clock_timestamp() AS now FROM locked`
}

type Change = {
  decide: (head: Head, nowMs: number) => Head | undefined
  event: (head: Head, nowMs: number) => OutboxEvent
}

const closing: Change = { decide: closeItem, event: itemEnded }
const opening: Change = { decide: openItem, event: (head, nowMs) => itemOpened(head, {}, nowMs) }

async function settle(
  session: Session,
  lock: (sql: Queryable) => PromiseLike<DueRow[]>,
  { decide, event }: Change,
  invalidate: Invalidate,
): Promise<number> {
  return await session.transaction(async (pipeline) => {
    const [, rows] = await pipeline<[unknown, DueRow[]]>((sql) => [sql`BEGIN`, lock(sql)])
    const settled = rows.flatMap((row) => {
      const nowMs = row.now.getTime()
      const head = decide(headFromRow(row), nowMs)
      return head ? [{ head, nowMs }] : []
    })
    if (settled.length === 0) {
      await pipeline<[unknown]>((sql) => [sql`COMMIT`])
      return 0
    }
    const events = settled.map(({ head, nowMs }) => event(head, nowMs))
    await pipeline<[unknown, unknown, unknown, void]>((sql) => [
      sql`
        UPDATE items SET status = h.status, outcome = h.outcome, version = h.version, updated_at = h.now
        FROM unnest(
          ${settled.map(({ head }) => head.itemId)}::uuid[],
          ${settled.map(({ head }) => head.status)}::text[],
          ${settled.map(({ head }) => head.outcome)}::text[],
          ${settled.map(({ head }) => String(head.version))}::bigint[],
          ${settled.map(({ nowMs }) => new Date(nowMs).toISOString())}::timestamptz[]
        ) AS h (id, status, outcome, version, now)
        WHERE items.id = h.id`,
      insertOutbox(sql, events),
      sql`COMMIT`,
      invalidate(new Map(settled.map(({ head }) => [head.itemId, head.version]))),
    ])
    return settled.length
  })
}

/** How long until the next item opens or ends, by the database's clock; undefined when none will. */
export async function untilNextMs(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<[{ wait_ms: number | null }]>`
    SELECT (extract(epoch FROM least(
      (SELECT min(end_at) FROM items WHERE status = 'active'),
      (SELECT min(start_at) FROM items WHERE status = 'scheduled')
    ) - clock_timestamp()) * 1000)::float8 AS wait_ms`
  return row.wait_ms ?? undefined
}
