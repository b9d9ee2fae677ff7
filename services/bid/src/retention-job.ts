/**
 * The write side's retention job, run by every auctioneer: forgets idempotency keys that nobody sends again. Any number
 * may run it.
 */
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { runPeriodically } from '@bidmesh/platform/process/run-periodically.ts'

/** A request with a key that is older is a new one. Clients send again for minutes, people for days. */
export const KEY_RETENTION_DAYS = 7

/** Rows per statement: short transactions, so that no bid waits behind the broom. */
const CHUNK = 5_000
const INTERVAL_MS = 60_000

/** Tables of keys, each with the column of its time. */
const tables = { bid_keys: 'created_at', item_keys: 'used_at' } as const

/**
 * Deletes what is due, chunk by chunk, and returns how many keys went. By the time of the statement: the index is of no use for
 * `clock_timestamp()`, which is another one for each row.
 */
export async function forgetKeys(sql: Sql, signal?: AbortSignal): Promise<number> {
  let forgotten = 0
  for (const [table, time] of Object.entries(tables)) {
    let count = CHUNK
    while (count === CHUNK && !signal?.aborted) {
      ;({ count } = await sql`
        DELETE FROM ${sql(table)} WHERE ctid = ANY (ARRAY(
          SELECT ctid FROM ${sql(table)}
          WHERE ${sql(time)} < statement_timestamp() - make_interval(days => ${KEY_RETENTION_DAYS})
          LIMIT ${CHUNK}
          FOR UPDATE SKIP LOCKED
        ))`)
      forgotten += count
    }
  }
  return forgotten
}

/** Now and every minute until the signal. */
export async function keepRetention(sql: Sql, log: Log, signal: AbortSignal): Promise<void> {
  const failure = 'retention job failed, trying again in a minute'
  await runPeriodically(
    async () => {
      const forgotten = await forgetKeys(sql, signal)
      if (forgotten > 0) log.info({ forgotten }, 'idempotency keys forgotten')
    },
    { intervalMs: INTERVAL_MS, signal, log, failure },
  )
}
