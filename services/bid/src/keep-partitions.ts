/**
 * Has the partitions of bids, history and audit log made before their month begins: three months ahead, so that it does no harm
 * when nobody gets to it for weeks. Those of the audit log are dropped again when all in them is old enough. Database functions do
 * it, because services may not.
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

/** Drops the months of the audit log that ended so many days ago, and returns how many they were. */
export async function dropAuditMonths(sql: Sql, retentionDays: number): Promise<number> {
  const [row] = await sql<[{ dropped: number }]>`
    SELECT drop_audit_partitions(${retentionDays}) AS dropped`
  return row.dropped
}

export type KeepPartitionsOptions = {
  auditRetentionDays: number
  log: Log
  signal: AbortSignal
}

/** Now and every hour until the signal. */
export async function keepPartitions(
  sql: Sql,
  { auditRetentionDays, log, signal }: KeepPartitionsOptions,
): Promise<void> {
  const failure = 'partitions not made or not dropped, trying again in an hour'
  await runPeriodically(
    async () => {
      const made = await makePartitions(sql)
      if (made > 0) log.info({ made }, 'partitions made')
      const dropped = await dropAuditMonths(sql, auditRetentionDays)
      if (dropped > 0) log.info({ dropped }, 'old months of the audit log dropped')
    },
    { intervalMs: INTERVAL_MS, signal, log, failure },
  )
}
