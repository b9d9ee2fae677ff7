/** Roles on a real server: what they may after a migration, and what the command says when it cannot give it. */
import { randomBytes } from 'node:crypto'
import { bidSchema } from '@bidmesh/bid/schema.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '@bidmesh/platform/postgres/migrate.ts'
import { connectPostgres, type Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { StartError } from '@bidmesh/platform/process/start-error.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'

const log = { info: () => undefined, warn: () => undefined }

let database: TestDatabase
let roles: Record<'owner' | 'writer' | 'other', string>
let pools: Sql[]

beforeEach(async () => {
  database = await createTestDatabase()
  pools = []
  const run = randomBytes(6).toString('hex')
  roles = { owner: `owner_${run}`, writer: `writer-${run}`, other: `Other_${run}` }
  const { sql } = database
  for (const role of Object.values(roles))
    await sql.unsafe(`CREATE ROLE "${role}" LOGIN PASSWORD 'x'`)
  const [{ name } = { name: '' }] = await sql<{ name: string }[]>`SELECT current_database() AS name`
  await sql`ALTER DATABASE ${sql(name)} OWNER TO ${sql(roles.owner)}`
  // As careful operators have it.
  await sql`REVOKE ALL ON SCHEMA public FROM PUBLIC`
})

afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.end({ timeout: 1 })))
  const { sql } = database
  for (const role of Object.values(roles)) {
    await sql`DROP OWNED BY ${sql(role)} CASCADE`
    if (role !== roles.owner) await sql`DROP ROLE ${sql(role)}`
  }
  await sql.unsafe(`REASSIGN OWNED BY "${roles.owner}" TO CURRENT_USER; DROP ROLE "${roles.owner}"`)
  await database.drop()
})

function urlOf(role: string): string {
  const url = new URL(database.url)
  url.username = role
  url.password = 'x'
  return url.href
}

function as(role: string): Sql {
  const pool = connectPostgres(urlOf(role), { max: 1, applicationName: 'bidmesh-test' })
  pools.push(pool)
  return pool
}

const migrateAs = (role: string, grants: { grantTo?: string } = {}) =>
  migrate({ ...bidSchema, url: urlOf(role), log, ...grants })

test('writers read and write rows, and change neither tables nor the record', async () => {
  const grants = { grantTo: roles.writer }
  await Promise.all([1, 2, 3].map(() => migrateAs(roles.owner, grants)))
  await migrateAs(roles.owner, grants)
  const writer = as(roles.writer)
  await writer`
    INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
    VALUES (0, gen_random_uuid(), gen_random_uuid(), 'bid.placed', '', now())`
  await writer`UPDATE outbox SET type = 'item.ended'`
  for (const table of [...bidSchema.tables, 'bid_migrations']) {
    const drop = writer`DROP TABLE ${writer(table)}`
    await expect(drop).rejects.toThrow('must be owner')
  }
  await writer`SELECT FROM bid_migrations`
  await expect(writer`DELETE FROM bid_migrations`).rejects.toThrow('permission denied')
  await expect(writer`CREATE TABLE mine (id int)`).rejects.toThrow('permission denied')
  await writer`DELETE FROM outbox`
  for (const change of ["UPDATE item_events SET type = ''", 'DELETE FROM item_events'])
    await expect(writer.unsafe(change)).rejects.toThrow('permission denied')
})

test('writers have partitions of the history made, in which they may only add', async () => {
  await migrateAs(roles.owner, { grantTo: roles.writer })
  const [owner, writer] = [as(roles.owner), as(roles.writer)]
  const [last = { name: '' }] = await owner<{ name: string }[]>`
    SELECT max(inhrelid::regclass::text) AS name FROM pg_inherits
    WHERE inhparent = 'item_events'::regclass`
  await owner`DROP TABLE ${owner(last.name)}`
  const make = () => writer`SELECT make_partitions() AS made`
  expect(await make()).toEqual([{ made: 1 }])
  expect(await make()).toEqual([{ made: 0 }])
  await writer`
    INSERT INTO item_events (item_id, version, recorded_at, id, type, payload, hash)
    SELECT gen_random_uuid(), 1, now() + interval '3 months', gen_random_uuid(), 'item.created', '', ''`
  expect(await owner`SELECT FROM ${owner(last.name)}`).toHaveLength(1)
  await expect(writer`TRUNCATE item_events`).rejects.toThrow('permission denied')
})

test('a role that is not there is named', async () => {
  const migrated = migrateAs(roles.owner, { grantTo: 'nobody_of_that_name' })
  await expect(migrated).rejects.toBeInstanceOf(StartError)
  await expect(migrated).rejects.toThrow('there is no role nobody_of_that_name')
})

test('rights that only somebody else can give are named', async () => {
  await migrateAs(roles.owner)
  await database.sql`GRANT ALL ON SCHEMA public TO ${database.sql(roles.writer)}`
  // The writer may look, which Postgres takes for a warning's worth of a right to grant.
  await database.sql`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${database.sql(roles.writer)}`
  const granted = migrateAs(roles.writer, { grantTo: roles.other })
  await expect(granted).rejects.toBeInstanceOf(StartError)
  await expect(granted).rejects.toThrow(/Other_\w+ lacks SELECT on items, .* only their owner can/)
})
