/**
 * What a service does about the tables it owns before it begins. `apply`: it makes them. `check`: it has no right
 * to, somebody else migrates (`bidmesh migrate`), and it waits until what its code needs is recorded. Migrations
 * it does not know are of newer code, which it runs beside.
 */
import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isUnavailable, messageOf, TransientError } from '../process/errors.ts'
import { migrate, missingOf, recordOf, type Schema, versionOf } from './migrate.ts'
import type { Sql } from './postgres.ts'
import type { ProgressLog } from '../process/progress-log.ts'

/** How soon a start notices that it can go on. */
const LOOK_INTERVAL_MS = 1_000

export type MigrationsMode = 'apply' | 'check'

export type EnsureSchemaOptions = {
  schema: Schema
  /** `check` waits for ever. */
  mode: MigrationsMode
  sql: Sql
  /** Of the same database as `sql`. */
  url: string
  log: ProgressLog
  /** Gives up waiting; the call then rejects. */
  signal: AbortSignal
}

export async function ensureSchema(options: EnsureSchemaOptions): Promise<void> {
  const { schema, mode, sql, url, log, signal } = options
  if (mode === 'apply') return await migrate({ ...schema, url, log })
  for (;;) {
    try {
      return await checkMigrations(sql, schema)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      log.warn({ reason: messageOf(error) }, 'waiting for the database to be migrated')
    }
    await sleep(LOOK_INTERVAL_MS, undefined, { signal })
  }
}

/** Resolves when all migrations this code knows are recorded; rejects with those that are not, fit for `/readyz`. */
export async function checkMigrations(sql: Sql, schema: Schema): Promise<void> {
  const record = recordOf(schema)
  const known = (await readdir(schema.directory)).filter((name) => versionOf(name) !== undefined)
  const isThere = (await missingOf(sql, [record])).length === 0
  const rows = isThere ? await sql<{ version: string }[]>`SELECT version FROM ${sql(record)}` : []
  const applied = new Set(rows.map(({ version }) => version))
  const pending = known.filter((name) => !applied.has(versionOf(name) ?? ''))
  if (pending.length === 0) return
  const names = pending.toSorted().join(', ')
  throw new TransientError(`the database lacks migrations of ${schema.service}: ${names}`)
}
