/**
 * A database per test file at the price of a copy (about 30 ms): the first to ask for a folder of migrations
 * migrates a template, all are cloned from it. Migrations that change within a run (watch mode) get a new
 * template, since its name holds their hash.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { inject } from 'vitest'
import { ensureDatabase, withDatabase } from '../postgres/ensure-database.ts'
import { migrate } from '../postgres/migrate.ts'
import { connectPostgres, type Sql } from '../postgres/postgres.ts'
import { openSessionPool, type Session } from '../postgres/session.ts'

/** Only one process migrates or clones a template at a time: a clone wants nobody else connected to it. */
const templateLock = '7165112902'
/** Enough for a test's concurrency, a tenth of what the server allows. */
const maxConnections = 20

export type TestDatabase = {
  url: string
  /** A pool on it; the test's own code may open others. */
  sql: Sql
  /** For code under test that runs transactions. */
  session: Session
  /** Ends the pool and drops the database, whoever is still connected. */
  drop: () => Promise<void>
}

/**
 * @param migrations folder of migrations, absolute or relative to the project's root; without it the
 * database is empty.
 */
export async function createTestDatabase(migrations?: string): Promise<TestDatabase> {
  const serverUrl = inject('databaseUrl')
  const prefix = databasePrefix(inject('testRunId'))
  const name = `${prefix}${randomBytes(6).toString('hex')}`
  const admin = connectPostgres(serverUrl, { max: 1, applicationName: 'bidmesh-test' })
  try {
    if (migrations === undefined) await admin`CREATE DATABASE ${admin(name)}`
    else
      await cloneMigrated(admin, { serverUrl, prefix, name, directory: path.resolve(migrations) })
  } finally {
    await admin.end()
  }
  const url = withDatabase(serverUrl, name)
  const settings = { max: maxConnections, applicationName: 'bidmesh-test' }
  const sql = connectPostgres(url, settings)
  const session = openSessionPool(url, settings)
  return {
    url,
    sql,
    session,
    drop: async () => {
      await session.close()
      await sql.end({ timeout: 1 })
      await dropDatabases(serverUrl, name)
    },
  }
}

/** Drops whatever a run has left on a server that outlives it. */
export async function dropTestDatabases(serverUrl: string, runId: string): Promise<void> {
  await dropDatabases(serverUrl, `${databasePrefix(runId)}%`)
}

function databasePrefix(runId: string): string {
  return `bidmesh_test_${runId}_`
}

type Clone = { serverUrl: string; prefix: string; name: string; directory: string }

async function cloneMigrated(admin: Sql, clone: Clone): Promise<void> {
  const template = `${clone.prefix}${await hashOf(clone.directory)}`
  await admin`SELECT pg_advisory_lock(${templateLock}::bigint)`
  const { url, created } = await ensureDatabase(clone.serverUrl, template)
  if (created) {
    await migrate({
      url,
      service: path.basename(path.dirname(clone.directory)),
      directory: clone.directory,
      tables: [],
      log: { info: () => undefined, warn: () => undefined },
    })
  }
  await admin`CREATE DATABASE ${admin(clone.name)} TEMPLATE ${admin(template)}`
}

async function hashOf(directory: string): Promise<string> {
  const hash = createHash('sha256').update(directory)
  for (const name of (await readdir(directory)).toSorted()) {
    hash.update(name).update(await readFile(path.join(directory, name)))
  }
  return hash.digest('hex').slice(0, 12)
}

async function dropDatabases(serverUrl: string, pattern: string): Promise<void> {
  const sql = connectPostgres(serverUrl, { max: 1, applicationName: 'bidmesh-test' })
  try {
    const rows = await sql<{ datname: string }[]>`
      SELECT datname FROM pg_database WHERE datname LIKE ${pattern.replaceAll('_', String.raw`\_`)}`
    for (const { datname } of rows) await sql`DROP DATABASE IF EXISTS ${sql(datname)} WITH (FORCE)`
  } finally {
    await sql.end()
  }
}
