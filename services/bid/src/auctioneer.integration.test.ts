/** The auctioneer beside rows that somebody else holds: it closes the others, and does not spin. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openSessionPool, type Session } from '@bidmesh/platform/postgres/session.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Auctioneer, startAuctioneer } from './auctioneer.ts'
import { migrationsDirectory } from './bid-component.ts'
import { CLOSE_BATCH } from './close-items.ts'
import { createLanes } from './lanes.ts'
import { createBidMetrics } from './metrics.ts'
import { bidOn, putItem } from './test-item.ts'

const invalidate = async () => undefined

let database: TestDatabase
let session: Session
let auctioneer: Auctioneer
let transactions = 0

beforeEach(async () => {
  database = await createTestDatabase(migrationsDirectory)
  session = openSessionPool(database.url, {
    max: 3,
    applicationName: 'auctioneer',
    lockTimeoutMs: 250,
  })
  transactions = 0
  const counted: Session = {
    ...session,
    transaction: (work, signal) => {
      transactions += 1
      return session.transaction(work, signal)
    },
  }
  auctioneer = startAuctioneer({
    sql: database.sql,
    session: counted,
    invalidate,
    wakeRelay: () => undefined,
    log: quietLog,
  })
})
afterEach(async () => {
  await auctioneer.stop()
  await session.close()
  await database.drop()
})

async function statusOf(id: string): Promise<string> {
  const [row] = await database.sql<{ status: string }[]>`SELECT status FROM items WHERE id = ${id}`
  return row?.status ?? 'missing'
}

/** An item that ends, or starts, only when it is told to. */
async function put(kind: 'active' | 'scheduled'): Promise<string> {
  const later = Date.now() + 3_600_000
  const times = kind === 'active' ? {} : { startAtMs: later, endAtMs: later + 3_600_000 }
  return (await putItem(database.session, times)).itemId
}

/** Makes items due `inMs` from now, by the database's clock. */
async function makeDue(ids: readonly string[], inMs: number): Promise<void> {
  await database.sql`
    UPDATE items SET
      start_at = CASE status WHEN 'active' THEN at - interval '1 day' ELSE at END,
      original_end_at = CASE status WHEN 'active' THEN at ELSE end_at END,
      end_at = CASE status WHEN 'active' THEN at ELSE end_at END
    FROM (
      SELECT date_trunc('milliseconds', clock_timestamp()) + make_interval(secs => ${inMs / 1_000}) AS at
    ) AS due
    WHERE id = ANY (${[...ids]}::uuid[])`
}

it('closes and opens the others while an item of each kind is held, and those when they are free', async () => {
  const held = [await put('active'), await put('scheduled')]
  const others = [await put('active'), await put('scheduled')]
  await makeDue(held, 1_000)
  await inTransaction(database.url, async (tx) => {
    await tx`SELECT 1 FROM items WHERE id = ANY (${held}::uuid[]) FOR UPDATE`
    // Until they are overdue.
    await sleep(1_500)
    await makeDue(others, 0)
    const before = transactions
    await eventually(
      async () => {
        const states = await Promise.all(others.map(statusOf))
        expect(states).toEqual(['ended', 'active'])
      },
      { limitMs: 2_000 },
    )
    await sleep(1_000)
    // A pass is two, at least four times a second; one that spins makes hundreds.
    expect(transactions - before).toBeLessThan(100)
    expect(await Promise.all(held.map(statusOf))).toEqual(['active', 'scheduled'])
  })
  await eventually(
    async () => expect(await Promise.all(held.map(statusOf))).toEqual(['ended', 'active']),
    { limitMs: 2_000 },
  )
})

/** More than a batch. */
const manyItems = CLOSE_BATCH + 100

it('closes many at once in batches, the held one left out', async () => {
  const items: string[] = []
  while (items.length < manyItems) {
    items.push(...(await Promise.all(Array.from({ length: 100 }, () => put('active')))))
  }
  await makeDue(items.slice(0, 1), 1_000)
  await inTransaction(database.url, async (tx) => {
    await tx`SELECT 1 FROM items WHERE id = ${items[0] ?? ''} FOR UPDATE`
    await sleep(1_000)
    await makeDue(items.slice(1), 0)
    await eventually(async () => {
      const [open] =
        await database.sql`SELECT count(*)::int AS items FROM items WHERE status = 'active'`
      expect(open).toEqual({ items: 1 })
    })
  })
  await eventually(async () => {
    const [ended] = await database.sql`
      SELECT count(*)::int AS events, count(DISTINCT item_id)::int AS items
      FROM outbox WHERE type = 'item.ended'`
    expect(ended).toEqual({ events: items.length, items: items.length })
  })
})

it('closes an item on which a crowd bids on after its end', async () => {
  const itemId = await put('active')
  const lanes = createLanes({
    databaseUrl: database.url,
    lanes: 2,
    invalidate,
    wakeRelay: () => undefined,
    metrics: createBidMetrics(),
  })
  const leaving = new AbortController()
  const bidders = Array.from({ length: 20 }, async (_, n) => {
    for (let round = 0; !leaving.signal.aborted; round += 1) {
      const idempotencyKey = `${n}-${round}`
      const bid = bidOn(itemId, { userId: `user-${n}`, amount: 100n, idempotencyKey })
      await lanes.place(bid, leaving.signal)
    }
  })
  try {
    await makeDue([itemId], 0)
    await eventually(async () => expect(await statusOf(itemId)).toBe('ended'), { limitMs: 5_000 })
  } finally {
    leaving.abort()
    await Promise.allSettled(bidders)
    await lanes.stop()
  }
})
