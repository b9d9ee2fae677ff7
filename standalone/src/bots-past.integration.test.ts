/** The past of the bots' market stands up to the same examination as anything that really happened. */
import { migrationsDirectory } from '@bidmesh/bid/bid-component.ts'
import { checkInvariants } from '@bidmesh/invariants/check-invariants.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { storePast } from './bots-past.ts'

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase(migrationsDirectory)
})
afterEach(async () => {
  await database.drop()
})

it('is a day of auctions by the rules, some without a buyer, over before now', async () => {
  const { sql, session } = database
  const auctions = await storePast(session)
  expect(auctions).toBeGreaterThan(100)
  expect(await checkInvariants({ bidSql: sql, ledger: [], fullHistory: true })).toEqual([])
  const [past] = await sql<Record<'sold' | 'unsold' | 'hours' | 'future', number>[]>`
    SELECT
      count(*) FILTER (WHERE outcome = 'sold')::int AS sold,
      count(*) FILTER (WHERE outcome = 'unsold')::int AS unsold,
      count(DISTINCT date_trunc('hour', end_at))::int AS hours,
      count(*) FILTER (WHERE end_at >= now())::int AS future
    FROM items`
  expect(past).toMatchObject({ future: 0 })
  expect(past?.sold).toBeGreaterThan(auctions / 2)
  expect(past?.unsold).toBeGreaterThan(5)
  expect(past?.hours).toBeGreaterThan(12)
})

it('is given once, and never to a store that has items', async () => {
  await storePast(database.session)
  expect(await storePast(database.session)).toBe(0)
})
