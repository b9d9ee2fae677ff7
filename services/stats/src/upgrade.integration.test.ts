/**
 * A store of the version that knew no currencies, with statistics and a backlog: its sums are there after the
 * migrations, and it may go on writing beside.
 */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { migrate } from '@bidmesh/platform/postgres/migrate.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { noLeaderboards } from './leaderboards.ts'
import { getMarketActivity } from './market-activity.ts'
import { projectEvents } from './project-events.ts'
import { getItemStats, getUserStats, listTopBidders } from './queries.ts'
import { statsSchema } from './schema.ts'
import { bidEvent, testBid, type TestBid } from './test-events.ts'

const quiet = { info: () => undefined, warn: () => undefined }

const cleanups: (() => unknown)[] = []
let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
  cleanups.push(database.drop)
  const directory = await mkdtemp(path.join(tmpdir(), 'migrations-'))
  cleanups.push(() => rm(directory, { recursive: true }))
  for (const file of await readdir(statsSchema.directory)) {
    if (file > '20261127') continue
    await copyFile(path.join(statsSchema.directory, file), path.join(directory, file))
  }
  const before = { service: 'stats', directory, tables: ['inbox'] }
  await migrate({ ...before, url: database.url, log: quiet })
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const upgrade = () => migrate({ ...statsSchema, url: database.url, log: quiet })

/** What the version before did with a bid, in its words. Returns false for a repeat. */
async function countAsBefore(sql: Sql, bid: TestBid): Promise<boolean> {
  const at = new Date(bid.atMs)
  const { id, itemId, userId, amount } = bid
  const fresh = await sql`
    INSERT INTO inbox (event_id, occurred_at) VALUES (${id}, ${at})
    ON CONFLICT (event_id) DO NOTHING RETURNING event_id`
  if (fresh.length === 0) return false
  await sql`
    INSERT INTO user_items AS p (item_id, user_id, bids, amount, highest_bid)
    VALUES (${itemId}, ${userId}, 1, ${amount}, ${amount})
    ON CONFLICT (item_id, user_id) DO UPDATE SET bids = p.bids + excluded.bids,
      amount = p.amount + excluded.amount, highest_bid = greatest(p.highest_bid, excluded.highest_bid)`
  await sql`
    INSERT INTO user_stats AS u (user_id, total_bids, total_amount, items_bid_on, highest_bid,
      items_won, amount_won, first_bid_at, last_bid_at, last_updated_at)
    VALUES (${userId}, 1, ${amount}, 1, ${amount}, 0, 0, ${at}, ${at}, ${at})
    ON CONFLICT (user_id) DO UPDATE SET total_bids = u.total_bids + excluded.total_bids,
      total_amount = u.total_amount + excluded.total_amount,
      highest_bid = greatest(u.highest_bid, excluded.highest_bid)`
  await sql`
    INSERT INTO item_stats AS i (item_id, total_bids, unique_bidders, highest_bid, first_bid_at,
      last_bid_at, outcome, winner_id, hammer_price)
    VALUES (${itemId}, 1, 1, ${amount}, ${at}, ${at}, NULL, '', 0)
    ON CONFLICT (item_id) DO UPDATE SET total_bids = i.total_bids + excluded.total_bids,
      highest_bid = greatest(i.highest_bid, excluded.highest_bid)`
  await sql`
    INSERT INTO activity AS a (minute, user_id, bids, amount)
    VALUES (date_trunc('minute', ${at}::timestamptz), ${userId}, 1, ${amount})
    ON CONFLICT (minute, user_id) DO UPDATE SET bids = a.bids + excluded.bids,
      amount = a.amount + excluded.amount`
  return true
}

it('keeps the sums it has, of unknown currency, and sorts what comes', async () => {
  const { sql, session } = database
  const itemId = randomUUID()
  const nowMs = Date.now()
  const bid = (amount: bigint, over: Partial<TestBid> = {}) =>
    testBid({ itemId, currency: 'EUR', amount, atMs: nowMs, ...over })
  const [applied, backlog, beside, later] = [bid(100n), bid(200n), bid(300n), bid(400n)]
  await countAsBefore(sql, applied)

  await upgrade()
  const unsorted = { currency: '', totalAmount: 100n, highestBid: 100n }
  expect(await getUserStats(sql, 'ann')).toMatchObject({
    totalBids: 1n,
    totalAmount: 100n,
    highestBid: 100n,
    amounts: [unsorted],
  })
  // What was delivered to the version before and not acknowledged comes again.
  await projectEvents(session, [bidEvent(applied), bidEvent(backlog)])
  // The version before, which still runs.
  expect(await countAsBefore(sql, backlog)).toBe(false)
  expect(await countAsBefore(sql, beside)).toBe(true)
  await projectEvents(session, [bidEvent(beside), bidEvent(later)])

  const unknown = { currency: '', totalAmount: 400n, highestBid: 300n }
  const euros = { currency: 'EUR', totalAmount: 600n, highestBid: 400n }
  expect(await getUserStats(sql, 'ann')).toMatchObject({
    totalBids: 4n,
    itemsBidOn: 1n,
    totalAmount: 0n,
    amounts: [unknown, euros],
  })
  expect(await getItemStats(sql, itemId)).toMatchObject({ totalBids: 4n, currency: 'EUR' })
  const byAmount = { order: 'amount', currency: 'EUR', limit: 10 } as const
  expect(await listTopBidders(sql, noLeaderboards, byAmount)).toMatchObject([{ userId: 'ann' }])
  const startMs = nowMs - (nowMs % 3_600_000)
  const { buckets } = await getMarketActivity(sql, startMs, startMs + 3_600_000, 3_600_000)
  expect(buckets).toMatchObject([
    {
      bids: 4n,
      uniqueBidders: 1n,
      amounts: [
        { currency: '', bids: 2n, amount: 400n },
        { currency: 'EUR', bids: 2n, amount: 600n },
      ],
    },
  ])
})

it('an inbox with events has days only where the version before will no longer be', async () => {
  await countAsBefore(database.sql, testBid())
  await upgrade()
  const [first] = await database.sql`
    SELECT min(to_date(right(relname, 8), 'YYYYMMDD')) - (clock_timestamp() AT TIME ZONE 'UTC')::date AS day
    FROM pg_class WHERE relkind = 'r' AND relname ~ '^inbox_[0-9]{8}$'`
  expect(first).toEqual({ day: 3 })
})
