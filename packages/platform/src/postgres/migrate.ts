/**
 * Brings a database to the latest migration: plain SQL files, applied by dbmate's own binary. An
 * advisory lock of the database lets any number of replicas start together: one migrates, the rest wait
 * and find nothing to do. Each service records its migrations in a table of its own, so that services may share a
 * database; before, all of them used `schema_migrations`, from which a service takes over what is its own.
 */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { resolveBinary } from 'dbmate'
import { errorCode, messageOf } from '../process/errors.ts'
import { missingTables } from './check-database.ts'
import { connectPostgres, type Sql } from './postgres.ts'
import { type Access, grantAccess } from './grant-access.ts'
import type { ProgressLog } from '../process/progress-log.ts'
import { StartError } from '../process/start-error.ts'

const run = promisify(execFile)

/** Any number nobody else locks; all of Bidmesh migrates one database at a time. */
const migrationLock = '7165112901'
/** Longest wait for another replica's migrations: an index on a large table takes its time. */
const lockWaitMs = 600_000

export type Schema = {
  /** Short name of the service; its migrations are recorded in `<service>_migrations`. */
  service: string
  /** Absolute path of the folder with `<version>_<name>.sql` files. */
  directory: string
  /** All tables that the migrations make. */
  tables: readonly string[]
  /** Those of them in which services change and delete nothing. */
  appendOnly?: readonly string[]
}

export type MigrateOptions = Schema & {
  /** Of an existing database. Without `sslmode` it means no TLS, as it does to the services' driver. */
  url: string
  log: ProgressLog
  /** A role that gets to read and write the tables; those that are append-only, to read and add to. */
  grantTo?: string | undefined
}

/** The table that says what was applied. */
export function recordOf({ service }: Schema): string {
  return `${service}_migrations`
}

/** Of a file of migrations; undefined for any other. */
export function versionOf(fileName: string): string | undefined {
  return /^\d+/.exec(fileName)?.[0]
}

/**
 * Throws with dbmate's own words when a migration fails; what was applied before it stays. Throws a StartError
 * when a table is missing although its migration was applied, or when a right could not be granted.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const { url, directory, tables, log } = options
  const sql = connectPostgres(url, {
    max: 1,
    applicationName: 'bidmesh-migrate',
    lockTimeoutMs: lockWaitMs,
  })
  try {
    await sql`SELECT pg_advisory_lock(${migrationLock}::bigint)`
    const record = recordOf(options)
    const adopted = await adoptShared(sql, record, options)
    if (adopted > 0) log.info({ migrations: adopted }, 'took over from schema_migrations')
    const applied = await dbmate(url, directory, record)
    for (const migration of applied) log.info({ migration }, 'applied migration')
    const missing = await missingOf(sql, tables)
    if (missing.length > 0) throw new StartError(explainMissing(missing, record))
    await grantAll(sql, record, options)
  } finally {
    // Ends the session, and with it the lock.
    await sql.end()
  }
}

/**
 * Makes the service's own record, with those of its migrations that the shared table knows. That a version is in
 * there may be the doing of another service, whose first migration has the same: only who has a table was there.
 */
async function adoptShared(
  sql: Sql,
  record: string,
  { directory, tables }: Schema,
): Promise<number> {
  if ((await missingOf(sql, [record])).length === 0) return 0
  if ((await missingOf(sql, ['schema_migrations'])).length > 0) return 0
  if ((await missingOf(sql, tables)).length === tables.length) return 0
  const versions = (await readdir(directory)).flatMap((name) => versionOf(name) ?? [])
  const list = versions.map((version) => `'${version}'`).join(', ')
  // Sent as one, so that it is one transaction; nothing in it is from outside.
  await sql.unsafe(`
    CREATE TABLE ${record} (version varchar(128) PRIMARY KEY);
    INSERT INTO ${record} SELECT version FROM schema_migrations WHERE version IN (${list})`)
  const [count] = await sql<{ rows: number }[]>`SELECT count(*)::int AS rows FROM ${sql(record)}`
  return count?.rows ?? 0
}

/** At each run: tables of a new migration are new to the roles as well. */
async function grantAll(
  sql: Sql,
  record: string,
  { tables, appendOnly = [], grantTo }: MigrateOptions,
): Promise<void> {
  if (grantTo === undefined) return
  const grant = (to: readonly string[], ...privileges: Access['privileges']) =>
    grantAccess(sql, { role: grantTo, tables: to, privileges })
  await grant(tables, 'SELECT', 'INSERT')
  const changed = tables.filter((name) => !appendOnly.includes(name))
  await grant(changed, 'UPDATE', 'DELETE')
  await grant([record], 'SELECT')
}

/** Those of the tables that are not there. */
export async function missingOf(sql: Sql, tables: readonly string[]): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    SELECT name FROM unnest(${[...tables]}::text[]) AS name WHERE to_regclass(name) IS NULL`
  return rows.map(({ name }) => name)
}

function explainMissing(missing: readonly string[], record: string): string {
  return (
    `${missingTables(missing)}, although ${record} says that its migrations were applied. Was it dropped or renamed, ` +
    'or restored in part? Put it back from a backup; in a database without data, drop ' +
    `${record} as well and start again`
  )
}

async function dbmate(url: string, directory: string, record: string): Promise<string[]> {
  // `migrate` and not `up`: that would want to look into the `postgres` database first.
  const options = ['--no-dump-schema', '--env-file', '', '--migrations-dir', directory]
  const args = [...options, '--migrations-table', record, 'migrate']
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
