/**
 * Has the partitions of bids and history made before their month begins: three months ahead, so that it does no harm
 * when nobody gets to it for weeks. A database function makes them, because services may not.
 */
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { runPeriodically } from '@bidmesh/platform/process/run-periodically.ts'

/** A month lasts longer than any number of failures in a row that nobody has seen. */
const INTERVAL_MS = 3_600_000

/** Makes what is missing and returns how many there were; several may call it at once. */
export async function makePartitions(sql: Sql): Promise<number> {
  const [row] = await sql<[{ made: number }]>`SELECT make_partitions() AS made`
  return row.made
}

/** Now and every hour until the signal. */
export async function keepPartitions(sql: Sql, log: Log, signal: AbortSignal): Promise<void> {
  const failure = 'partitions not made, trying again in an hour'
  await runPeriodically(
    async () => {
      const made = await makePartitions(sql)
      if (made > 0) log.info({ made }, 'partitions made')
    },
    { intervalMs: INTERVAL_MS, signal, log, failure },
  )
}
