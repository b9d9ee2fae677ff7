/** What the write side forgets, and that bids of the months to come have a place. */
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { untilGone } from '@bidmesh/platform/testing/until-gone.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { migrationsDirectory } from './bid-component.ts'
import type { BidEntry, Outcome } from './decide-batch.ts'
import { executeBatch } from './execute-batch.ts'
import { forgetKeys } from './retention-job.ts'
import { bidOn, putItem } from './test-item.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
})
afterAll(() => database.drop())

async function place(entry: BidEntry): Promise<Outcome['kind']> {
  const [outcome] = await executeBatch(database.session, [entry], {
    invalidate: async () => undefined,
  })
  return typeof outcome === 'object' ? outcome.kind : 'rejected'
}

it('a key is forgotten after 7 days, not before', async () => {
  const { itemId } = await putItem(database.session)
  const [older, newer] = [randomUUID(), randomUUID()]
  const old = { ...bidOn(itemId, { amount: 1_000n }), idempotencyKey: older }
  const recent = { ...bidOn(itemId, { amount: 2_000n }), idempotencyKey: newer }
  expect([await place(old), await place(recent)]).toEqual(['accepted', 'accepted'])
  const age = (key: string, interval: string) => database.sql`
    UPDATE bid_keys SET created_at = created_at - ${interval}::interval WHERE idempotency_key = ${key}`
  await age(older, '7 days 1 minute')
  await age(newer, '6 days 23 hours')
  expect(await forgetKeys(database.sql)).toBe(1)
  const left = await database.sql`SELECT idempotency_key FROM bid_keys WHERE item_id = ${itemId}`
  expect(left).toEqual([{ idempotency_key: newer }])
  expect(await place(old)).toBe('rejected')
})

it('forgets more than fit into one statement', async () => {
  await database.sql`
    INSERT INTO bid_keys SELECT 'ann', n::text, ${randomUUIDv7()}, n, clock_timestamp() - interval '8 days'
    FROM generate_series(1, 12000) AS n`
  expect(await forgetKeys(database.sql)).toBe(12_000)
})

it('does not read the keys that it keeps', async () => {
  await database.sql`
    INSERT INTO bid_keys SELECT 'bob', n::text, ${randomUUIDv7()}, n, clock_timestamp() - interval '1 day'
    FROM generate_series(1, 100000) AS n`
  await database.sql`VACUUM ANALYZE bid_keys`
  const readSoFar = async () => {
    const [row] = await database.sql<[{ rows: bigint }]>`
      SELECT seq_tup_read AS rows FROM pg_stat_user_tables WHERE relname = 'bid_keys'`
    return row.rows
  }
  const before = await readSoFar()
  const sql = connectPostgres(database.url, { max: 1, applicationName: 'auctioneer' })
  expect(await forgetKeys(sql)).toBe(0)
  await sql.end()
  await untilGone(database.sql, 'auctioneer')
  expect(Number((await readSoFar()) - before)).toBeLessThan(1_000)
})

it('bids of this month and the next three have a partition, and old ones go by dropping theirs', async () => {
  const insert = (monthsAhead: number) => database.sql`
    INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
    VALUES (${randomUUIDv7()}, 1, ${randomUUIDv7()}, 'ann', 1,
      date_trunc('month', clock_timestamp()) + interval '1 day' + make_interval(months => ${monthsAhead}))
    RETURNING tableoid::regclass::text AS partition`
  const partitions = [await insert(0), await insert(1), await insert(3)].map(([row]) => row)
  expect(new Set(partitions.map((row) => row?.['partition'])).size).toBe(3)
  await expect(insert(4)).rejects.toThrow(/no partition/)
  const [{ made }] = await database.sql<[{ made: number }]>`SELECT make_partitions() AS made`
  expect(made).toBe(0)
  await database.sql`DROP TABLE ${database.sql(String(partitions[2]?.['partition']))}`
  const [again] = await database.sql<[{ made: number }]>`SELECT make_partitions() AS made`
  expect(again.made).toBe(1)
})
