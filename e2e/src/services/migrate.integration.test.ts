import { bidSchema } from '@bidmesh/bid/schema.ts'
import { statsSchema } from '@bidmesh/stats/schema.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate, type Schema } from '@bidmesh/platform/postgres/migrate.ts'
import { StartError } from '@bidmesh/platform/process/start-error.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

const log = { info: () => undefined, warn: () => undefined }
const start = (schema: Schema) => migrate({ ...schema, url: database.url, log })
/** What services did before each had a record of its own. */
const startAsBefore = (schema: Schema) => start({ ...schema, service: 'schema' })

async function versionsIn(record: string): Promise<string[]> {
  const rows = await database.sql<{ version: string }[]>`
    SELECT version FROM ${database.sql(record)} ORDER BY version`
  return rows.map(({ version }) => version)
}

/** Without partitions, whose names are of the day. */
async function tables(): Promise<string[]> {
  const rows = await database.sql<{ name: string }[]>`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname !~ '_[0-9_]+$'
    ORDER BY 1`
  return rows.map(({ name }) => name)
}

test('two services in one database, all replicas at once: both have their tables', async () => {
  await Promise.all([bidSchema, statsSchema, bidSchema, statsSchema].map(start))
  expect(await tables()).toEqual(
    [...bidSchema.tables, ...statsSchema.tables, 'bid_migrations', 'stats_migrations'].toSorted(),
  )
})

test('a store made before goes on, with its data, whichever replica is first', async () => {
  await startAsBefore(bidSchema)
  const before = await versionsIn('schema_migrations')
  await database.sql`
    INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
    VALUES (0, gen_random_uuid(), gen_random_uuid(), 'bid.placed', '', now())`
  await Promise.all([bidSchema, bidSchema, bidSchema].map(start))
  expect(await versionsIn('bid_migrations')).toEqual(before)
  expect(await database.sql`SELECT FROM outbox`).toHaveLength(1)
})

test.each([
  ['bid', bidSchema, statsSchema],
  ['stats', statsSchema, bidSchema],
])('a shared store in which only %s had got its tables', async (_name, first, second) => {
  await startAsBefore(first)
  await Promise.all([second, first, second, first].map(start))
  expect(await versionsIn(`${first.service}_migrations`)).not.toEqual([])
  expect(await tables()).toEqual(expect.arrayContaining([...first.tables, ...second.tables]))
})

test('a table that is gone although its migration was applied ends the start with words', async () => {
  await start(statsSchema)
  await database.sql`ALTER TABLE inbox RENAME TO inbox_elsewhere`
  const failed = start(statsSchema)
  await expect(failed).rejects.toBeInstanceOf(StartError)
  await expect(failed).rejects.toThrow(/table inbox missing.* stats_migrations .*backup/)
})
