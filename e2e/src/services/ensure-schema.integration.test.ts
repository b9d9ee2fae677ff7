/** A service without the right to change tables, beside a database that is older, as old, or newer. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { statsSchema } from '@bidmesh/stats/schema.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkMigrations, ensureSchema } from '@bidmesh/platform/postgres/ensure-schema.ts'
import { migrate, type Schema } from '@bidmesh/platform/postgres/migrate.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'

const quiet = { info: () => undefined, warn: () => undefined }
const added = '20300101000000_next.sql'

let database: TestDatabase
/** The schema as it is, and as the next version has it. */
let newer: Schema
let reasons: unknown[]

beforeEach(async () => {
  database = await createTestDatabase()
  reasons = []
  newer = { ...statsSchema, directory: await mkdtemp(join(tmpdir(), 'bidmesh-schema-')) }
  await cp(statsSchema.directory, newer.directory, { recursive: true })
  await writeFile(
    join(newer.directory, added),
    '-- migrate:up\nCREATE TABLE next (id int);\n-- migrate:down\n',
  )
})

afterEach(async () => {
  await database.drop()
  await rm(newer.directory, { recursive: true })
})

const migrated = (schema: Schema) => migrate({ ...schema, url: database.url, log: quiet })

function waiting(schema: Schema, signal = new AbortController().signal): Promise<void> {
  const warn = ({ reason }: { reason?: unknown }) => reasons.push(reason)
  const { sql, url } = database
  return ensureSchema({ schema, mode: 'check', sql, url, log: { ...quiet, warn }, signal })
}

test('an empty database is waited for, and not touched', async () => {
  const ready = waiting(statsSchema)
  await eventually(() => reasons.length > 0)
  expect(reasons[0]).toMatch(/^the database lacks migrations of stats: \d+_\w+\.sql/)
  expect(await database.sql`SELECT FROM pg_tables WHERE schemaname = 'public'`).toHaveLength(0)
  await migrated(statsSchema)
  await ready
})

test('an older one is waited for, by the name of what it lacks', async () => {
  await migrated(statsSchema)
  const ready = waiting(newer)
  await eventually(() => reasons.length > 0)
  expect(reasons[0]).toBe(`the database lacks migrations of stats: ${added}`)
  await expect(checkMigrations(database.sql, newer)).rejects.toThrow(added)
  await migrated(newer)
  await ready
})

test('a newer one is used as it is', async () => {
  await migrated(newer)
  await waiting(statsSchema)
  await checkMigrations(database.sql, statsSchema)
  expect(reasons).toEqual([])
})

test('the wait ends with the process', async () => {
  const stop = new AbortController()
  const ready = waiting(statsSchema, stop.signal)
  await eventually(() => reasons.length > 0)
  stop.abort()
  await expect(ready).rejects.toThrow('aborted')
})
