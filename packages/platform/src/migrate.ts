/**
 * Brings a database to the latest migration: plain SQL files, applied by dbmate's own binary. An
 * advisory lock of the database lets any number of replicas start together: one migrates, the rest wait
 * and find nothing to do.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { resolveBinary } from 'dbmate'
import { errorCode, messageOf } from './errors.ts'
import { connectPostgres } from './postgres.ts'
import type { ProgressLog } from './progress-log.ts'

const run = promisify(execFile)

/** Any number nobody else locks; all of Bidmesh migrates one database at a time. */
const migrationLock = '7165112901'
/** Longest wait for another replica's migrations: an index on a large table takes its time. */
const lockWaitMs = 600_000

export type MigrateOptions = {
  /** Of an existing database. Without `sslmode` it means no TLS, as it does to the services' driver. */
  url: string
  /** Absolute path of the folder with `<version>_<name>.sql` files. */
  directory: string
  log: ProgressLog
}

/** Throws with dbmate's own words when a migration fails; what was applied before it stays. */
export async function migrate({ url, directory, log }: MigrateOptions): Promise<void> {
  const sql = connectPostgres(url, {
    max: 1,
    applicationName: 'bidmesh-migrate',
    lockTimeoutMs: lockWaitMs,
  })
  try {
    await sql`SELECT pg_advisory_lock(${migrationLock}::bigint)`
    const applied = await dbmate(url, directory)
    for (const migration of applied) log.info({ migration }, 'applied migration')
  } finally {
    // Ends the session, and with it the lock.
    await sql.end()
  }
}

async function dbmate(url: string, directory: string): Promise<string[]> {
  // `migrate` and not `up`: that would want to look into the `postgres` database first.
  const args = ['--no-dump-schema', '--env-file', '', '--migrations-dir', directory, 'migrate']
  try {
    const { stdout } = await run(resolveBinary(), args, {
      // In the environment and not among the arguments: those are for every user to see.
      env: { ...process.env, DATABASE_URL: withSslMode(url) },
      cwd: directory,
    })
    return [...stdout.matchAll(/^Applied: (\S+)/gm)].map(([, name = '']) => name)
  } catch (error) {
    if (errorCode(error) === 'ENOENT')
      throw new Error(`no migrations at ${directory}`, { cause: error })
    throw new Error(`migrations in ${directory} failed: ${dbmateMessage(error)}`, { cause: error })
  }
}

function dbmateMessage(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('stderr' in error)) return messageOf(error)
  return String(error.stderr)
    .trim()
    .replace(/^Error: /, '')
}

/** dbmate's driver insists on TLS where none is asked for; ours does without. */
function withSslMode(url: string): string {
  const parsed = new URL(url)
  if (!parsed.searchParams.has('sslmode')) parsed.searchParams.set('sslmode', 'disable')
  return parsed.href
}
