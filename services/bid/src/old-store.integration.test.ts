/**
 * A store as the first version with lanes and an outbox left it, with bids, keys and events not yet relayed: migrated, it goes on
 * as if nothing had happened. Rows are written by SQL, since that version's code is gone.
 */
import { randomUUIDv7 } from 'node:crypto'
import type { TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { closeItems } from './close-items.ts'
import { executeBatch } from './execute-batch.ts'
import { listItems, noFilter } from './list-items.ts'
import { getItem, getItemBids } from './queries.ts'
import { bidOn } from './test-item.ts'
import { createOlderStore, migrateToPresent } from './test-older-store.ts'

const invalidate = async () => undefined

let database: TestDatabase
const [active = '', ended = '', overdue = '', firstBid = ''] = [0, 1, 2, 3].map(() =>
  randomUUIDv7(),
)

beforeAll(async () => {
  database = await createOlderStore('20261126')
  await fill()
  await migrateToPresent(database)
})
afterAll(() => database.drop())

async function fill(): Promise<void> {
  const { sql } = database
  // Items' times are whole milliseconds.
  const now = new Date().toISOString()
  await sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price, min_increment,
      soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, created_at, updated_at, start_at,
      original_end_at, status, end_at, current_highest_bid, highest_bidder_id, sequence, outcome, version)
    SELECT id, 'Lamp', 'A lamp', '{}', 'home', 'seller', 'EUR', 100, 1, 30000, 30000, 5, ${now}::timestamptz - interval '3 days',
      ${now}::timestamptz, ${now}::timestamptz + starts, ${now}::timestamptz + ends, status, ${now}::timestamptz + ends, price, leader, sequence, outcome, version
    FROM (VALUES
      (${active}::uuid, interval '-2 days', interval '1 hour', 'active', 300, 'bea', 2, NULL, 3),
      (${ended}::uuid, interval '-2 days', interval '-1 day', 'ended', 100, 'ann', 1, 'sold', 3),
      (${overdue}::uuid, interval '-1 hour', interval '-1 minute', 'active', 0, '', 0, NULL, 1)
    ) AS v (id, starts, ends, status, price, leader, sequence, outcome, version)`
  await sql`
    INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at, idempotency_key)
    VALUES (${active}, 1, ${firstBid}, 'ann', 200, ${now}::timestamptz - interval '1 day', 'key of ann'),
      (${active}, 2, ${randomUUIDv7()}, 'bea', 300, ${now}::timestamptz - interval '1 hour', NULL),
      (${ended}, 1, ${randomUUIDv7()}, 'ann', 100, ${now}::timestamptz - interval '2 days', 'other key')`
  await sql`
    INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
    SELECT 0, id, item_id, 'bid.placed', '', created_at FROM bids WHERE item_id = ${active}`
}

it('its items are found by their words', async () => {
  const filter = { ...noFilter, query: 'lamp' }
  const page = await listItems(database.sql, filter, { pageSize: 0, pageToken: '', full: false })
  expect(page.rows).toHaveLength(3)
})

it('a bid sent again by its key is the bid that there was', async () => {
  const entry = bidOn(active, { userId: 'ann', amount: 200n, idempotencyKey: 'key of ann' })
  const [outcome] = await executeBatch(database.session, [entry], { invalidate })
  expect(outcome).toMatchObject({ kind: 'repeated', bid: { id: firstBid, sequence: 1n } })
})

it('the next bid is the next of its item, and its event the next in the outbox', async () => {
  const entry = bidOn(active, { userId: 'ann', amount: 400n })
  const [outcome] = await executeBatch(database.session, [entry], { invalidate })
  expect(outcome).toMatchObject({ kind: 'accepted', bid: { sequence: 3n } })
  const page = await getItemBids(database.sql, active, { pageSize: 0, pageToken: '' })
  expect(page.rows.map(({ amount }) => amount)).toEqual([400n, 300n, 200n])
  const events = await database.sql`SELECT type FROM outbox WHERE item_id = ${active}`
  expect(events).toHaveLength(3)
})

it('what had ended meanwhile is closed, what was closed stays so', async () => {
  expect(await closeItems(database.session, invalidate)).toBe(1)
  const [late, sold] = await Promise.all([
    getItem(database.sql, overdue),
    getItem(database.sql, ended),
  ])
  expect([late.winnerId, late.version, sold.winnerId, sold.version]).toEqual(['', 2n, 'ann', 3n])
})

it('code of the version before still places bids whose keys are found, and never one twice', async () => {
  const [olds, news] = [randomUUIDv7(), randomUUIDv7()]
  const place = (sequence: number, key: string) => database.sql`
    INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at, idempotency_key)
    VALUES (${overdue}, ${sequence}, ${olds}, 'cem', 500, now(), ${key})`
  await place(1, olds)
  const repeat = bidOn(overdue, { userId: 'cem', amount: 500n, idempotencyKey: olds })
  const fresh = bidOn(active, { userId: 'cem', amount: 900n, idempotencyKey: news })
  const outcomes = await executeBatch(database.session, [repeat, fresh], { invalidate })
  expect(outcomes).toMatchObject([{ kind: 'repeated', bid: { id: olds } }, { kind: 'accepted' }])
  await expect(place(2, news)).rejects.toThrow(/bid_keys_pkey/)
})
