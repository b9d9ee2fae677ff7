/** For tests: a store as an earlier version has left it, with what that version wrote, in its words. */
import { randomUUIDv7 } from 'node:crypto'
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { migrate } from '@bidmesh/platform/postgres/migrate.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { bidSchema } from './schema.ts'

const log = { info: () => undefined, warn: () => undefined }

/** @param before the first migration that it does not have, or the beginning of its name */
export async function createOlderStore(before: string): Promise<TestDatabase> {
  const database = await createTestDatabase()
  const directory = await mkdtemp(path.join(tmpdir(), 'migrations-'))
  try {
    const files = await readdir(bidSchema.directory)
    for (const file of files.filter((each) => each < before))
      await copyFile(path.join(bidSchema.directory, file), path.join(directory, file))
    await migrate({ service: 'bid', directory, tables: ['items'], url: database.url, log })
  } finally {
    await rm(directory, { recursive: true })
  }
  return database
}

/** Brings it to the present. */
export async function migrateToPresent({ url }: TestDatabase): Promise<void> {
  await migrate({ ...bidSchema, url, log })
}

/** An item with a bid by `ann`, and its event that was not relayed yet, as the first version wrote them. */
export async function putOlderItem(sql: Sql, title: string): Promise<string> {
  const id = randomUUIDv7()
  await sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price, min_increment,
      soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, created_at, updated_at, start_at,
      original_end_at, status, end_at, current_highest_bid, highest_bidder_id, sequence, version)
    SELECT ${id}, ${title}, '', '{}', 'home', 'seller', 'USD', 100, 1, 30000, 1000, 0, t, t, t, t + interval '1 hour',
      'active', t + interval '1 hour', 100, 'ann', 1, 2
    FROM date_trunc('milliseconds', clock_timestamp()) AS t`
  await sql`
    INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
    SELECT id, 1, gen_random_uuid(), 'ann', 100, created_at FROM items WHERE id = ${id}`
  await sql`
    INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
    SELECT 0, id, item_id, 'bid.placed', '', created_at FROM bids WHERE item_id = ${id}`
  return id
}
