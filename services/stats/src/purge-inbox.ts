/**
 * Forgets old inbox rows, so that the inbox stays a window and not a history. A row goes {@link RETENTION_DAYS}
 * days after its event, but never sooner than that after it arrived: an event that was a week late still
 * needs its repeats recognised.
 *
 * Whole days go with their partition (`rotate_inbox` in the migrations). Events of days without one, late ones
 * and those of a rebuild, are in the default partition `inbox`, which is deleted from.
 */
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { runPeriodically } from '@bidmesh/platform/process/run-periodically.ts'

/** Longer than a message can wait in a queue or an outbox without somebody having been called. As in `rotate_inbox`. */
export const RETENTION_DAYS = 7

/** Rows per statement: short transactions, so that no batch waits behind the broom. */
const PURGE_CHUNK = 5_000
const PURGE_INTERVAL_MS = 60_000

export type Purged = { days: number; rows: number }

/**
 * Drops the days that are due and makes those to come, deletes what else is due, and returns how much went. By the time of the
 * statement: the index is of no use for `clock_timestamp()`, which is another one for each row.
 */
export async function purgeInbox(sql: Sql, signal?: AbortSignal): Promise<Purged> {
  const [rotated] = await sql<[{ days: number }]>`SELECT rotate_inbox() AS days`
  let rows = 0
  for (;;) {
    const { count } = await sql`
      DELETE FROM inbox WHERE event_id IN (
        SELECT event_id FROM inbox
        WHERE greatest(occurred_at, received_at) < statement_timestamp() - make_interval(days => ${RETENTION_DAYS})
        ORDER BY greatest(occurred_at, received_at)
        LIMIT ${PURGE_CHUNK}
        FOR UPDATE SKIP LOCKED
      )`
    rows += count
    if (count < PURGE_CHUNK || signal?.aborted) return { days: rotated.days, rows }
  }
}

/** Purges now and every minute until the signal; any number of replicas may. */
export async function keepPurging(sql: Sql, log: Log, signal: AbortSignal): Promise<void> {
  const failure = 'inbox not purged, trying again in a minute'
  await runPeriodically(
    async () => {
      const purged = await purgeInbox(sql, signal)
      if (purged.days > 0 || purged.rows > 0) log.info(purged, 'inbox purged')
    },
    { intervalMs: PURGE_INTERVAL_MS, signal, log, failure },
  )
}
