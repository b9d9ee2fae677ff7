/** What the auctioneer reads to find what is due: little, however many items are open. */
import { plannedOnce } from '@bidmesh/platform/postgres/postgres.ts'
import { openSessionPool } from '@bidmesh/platform/postgres/session.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { untilGone } from '@bidmesh/platform/testing/until-gone.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { migrationsDirectory } from './bid-component.ts'
import { closeItems, openItems } from './close-items.ts'
import { putItem } from './test-item.ts'

const invalidate = async () => undefined
const openCount = 5_000

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
})
afterAll(() => database.drop())

/** Copies of an item that is due in an hour, as it is due. */
async function putMany(changes: Parameters<typeof putItem>[1] = {}): Promise<string> {
  const { itemId } = await putItem(database.session, changes)
  await database.sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price, min_increment,
      soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
      created_at, updated_at, start_at, end_at, original_end_at)
    SELECT gen_random_uuid(), title, description, images, category, seller_id, currency, start_price, min_increment,
      soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
      created_at, updated_at, start_at, end_at, original_end_at
    FROM items, generate_series(1, ${openCount}::int) WHERE id = ${itemId}`
  return itemId
}

it('reads only what is due', async () => {
  const startAtMs = Date.now() + 3_600_000
  const active = await putMany()
  const scheduled = await putMany({ startAtMs, endAtMs: startAtMs + 3_600_000 })
  await database.sql`
    UPDATE items SET original_end_at = created_at + interval '1 ms', end_at = created_at + interval '1 ms'
    WHERE id = ${active}`
  await database.sql`UPDATE items SET start_at = created_at WHERE id = ${scheduled}`
  const settings = { applicationName: 'auctioneer', max: 1, settings: plannedOnce }
  const session = openSessionPool(database.url, settings)
  const worked = []
  for (let pass = 0; pass < 3; pass += 1) {
    worked.push([await closeItems(session, invalidate), await openItems(session, invalidate)])
  }
  await session.close()
  await untilGone(database.sql, 'auctioneer')
  expect(worked).toEqual([
    [1, 1],
    [0, 0],
    [0, 0],
  ])
  const read = await database.sql<{ index: string; rows: number }[]>`
    SELECT indexrelname AS index, idx_tup_read::int AS rows FROM pg_stat_user_indexes
    WHERE relname = 'items' AND idx_tup_read > 100`
  expect(read).toEqual([])
})
