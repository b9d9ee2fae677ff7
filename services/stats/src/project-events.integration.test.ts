/**
 * I4 and I5 on a real Postgres: whatever the order, the repeats and the cuts, two consumers at once leave
 * what a recomputation from the facts gives. A deadlock between them would reject, and fail the test.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { PoisonEventError } from './facts.ts'
import { projectEvents } from './project-events.ts'
import type { Standing } from './standings.ts'
import { migrationsDirectory } from './stats-component.ts'
import {
  bidEvent,
  endEvent,
  recomputedProjections,
  storedProjections,
  testBid,
  type TestBid,
  type TestEnd,
} from './test-events.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
})
afterAll(() => database.drop())
beforeEach(clear)

async function clear(): Promise<void> {
  await database.sql`TRUNCATE inbox_events, user_items, user_stats, user_amounts, item_stats, market_activity`
}

const project = (...events: IncomingEvent[]) => projectEvents(database.session, events)

// Few users and items, so that batches meet; ids that sort differently as UTF-16, UTF-8 and by a locale.
const users = ['ann', 'Ann', 'änn', 'zoe', '\u{ff5e}', '\u{1f600}', 'a b', "o'neil"]
const currencyOf = (item: number) => (item % 2 === 0 ? 'EUR' : 'USD')
const bidFields = fc.record({
  item: fc.nat(4),
  userId: fc.constantFrom(...users),
  amount: fc.bigInt(1n, 10n ** 15n),
  atMs: fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 0, 1, 0, 10) }),
})
const endFields = fc.option(
  fc.record({
    winner: fc.option(
      fc.record({ userId: fc.constantFrom(...users), amount: fc.bigInt(1n, 10n ** 15n) }),
      { nil: undefined },
    ),
    atMs: fc.integer({ min: Date.UTC(2026, 0, 1, 0, 5), max: Date.UTC(2026, 0, 1, 1) }),
  }),
)
const world = fc.record({
  bids: fc.array(bidFields, { maxLength: 120, size: 'max' }),
  ends: fc.array(endFields, { minLength: 5, maxLength: 5 }),
})

const owners = () => fc.constantFrom('one', 'two', 'both')
const batchSizes = () => fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

it('two consumers at once, any order, any repeats, any cuts: each event counts once', async () => {
  await fc.assert(
    fc
      .asyncProperty(world, fc.gen(), async ({ bids, ends }, gen) => {
        const itemIds = ends.map(() => randomUUID())
        const placed: TestBid[] = bids.map(({ item, ...bid }) =>
          testBid({ ...bid, itemId: itemIds[item] ?? '', currency: currencyOf(item) }),
        )
        const ended = ends.flatMap((end, item): TestEnd[] => {
          if (!end) return []
          const { atMs, winner } = end
          const currency = currencyOf(item)
          return [{ itemId: itemIds[item] ?? '', currency, atMs, ...(winner && { winner }) }]
        })
        const events = [...placed.map((bid) => bidEvent(bid)), ...ended.map((end) => endEvent(end))]
        // Each of the two gets all that the other did not, and some of what it did.
        const owner = events.map(() => gen(owners))
        const deliveriesOf = (consumer: string) => {
          const own = events.filter((_, n) => owner[n] === consumer || owner[n] === 'both')
          const repeated = [...own, ...gen(fc.subarray, own)]
          return cut(
            gen(fc.shuffledSubarray, repeated, { minLength: repeated.length }),
            gen(batchSizes),
          )
        }
        const results = await Promise.all(
          [deliveriesOf('one'), deliveriesOf('two')].map(async (batches) => {
            const counts = { applied: 0, duplicates: 0, delivered: 0 }
            for (const batch of batches) {
              const { applied, duplicates } = await project(...batch)
              counts.applied += applied
              counts.duplicates += duplicates
              counts.delivered += batch.length
            }
            return counts
          }),
        )
        expect(await storedProjections(database.sql)).toEqual(recomputedProjections(placed, ended))
        const total = (of: (counts: (typeof results)[number]) => number) =>
          results.reduce((sum, counts) => sum + of(counts), 0)
        expect(total(({ applied }) => applied)).toBe(events.length)
        expect(total(({ duplicates }) => duplicates)).toBe(
          total(({ delivered }) => delivered) - events.length,
        )
      })
      .beforeEach(clear),
    { numRuns: 40, endOnFailure: true },
  )
})

function cut<Value>(values: readonly Value[], sizes: readonly number[]): Value[][] {
  const batches: Value[][] = []
  let taken = 0
  while (taken < values.length) {
    const size = sizes[batches.length % sizes.length] ?? 1
    batches.push(values.slice(taken, taken + size))
    taken += size
  }
  return batches
}

/** @param digit of the consumer @param place rising with what the consumer's inbox will give first */
const idOf = (digit: number, place: number) => `${digit}0000000-0000-4000-8000-00000000000${place}`
const shared = [idOf(7, 1), idOf(7, 2), idOf(7, 3)] as const
const [, middle] = shared

const codeOf = (key = '') => `XX${'ABC'[Number(key.at(-1)) - 1]}`

/**
 * Two consumers that meet in one table only, on three keys, the second in the opposite order. A third party
 * holds the key in the middle until both wait: in any order but a common one each then has what the
 * other wants.
 */
it.each<
  [table: string, bid: (consumer: number, key: string, place: number) => TestBid, held: string]
>([
  [
    'inbox_events',
    (consumer, key) => testBid({ id: key, userId: `user-${consumer}` }),
    `INSERT INTO inbox_events VALUES ('${middle}', '2026-11-01 00:00Z')`,
  ],
  [
    'user_items',
    (consumer, key, place) =>
      testBid({ id: idOf(consumer, place), itemId: idOf(9, 9), userId: key }),
    `SELECT FROM user_items WHERE user_id = '${middle}' FOR UPDATE`,
  ],
  [
    'user_stats',
    (consumer, key, place) => testBid({ id: idOf(consumer, place), userId: key }),
    `SELECT FROM user_stats WHERE user_id = '${middle}' FOR UPDATE`,
  ],
  [
    'user_amounts',
    (consumer, key, place) =>
      testBid({ id: idOf(consumer, place), userId: 'ann', currency: codeOf(key) }),
    `SELECT FROM user_amounts WHERE currency = '${codeOf(middle)}' FOR UPDATE`,
  ],
  [
    'item_stats',
    (consumer, key, place) =>
      testBid({ id: idOf(consumer, place), itemId: key, userId: `user-${consumer}` }),
    `SELECT FROM item_stats WHERE item_id = '${middle}' FOR UPDATE`,
  ],
])('consumers that meet in %s take its locks in one order', async (table, bid, held) => {
  const known = table === 'inbox_events' ? [] : shared.map((key, place) => bid(0, key, place))
  const one = shared.map((key, place) => bid(1, key, place))
  const two = shared.toReversed().map((key, place) => bid(2, key, place))
  await project(...known.map((each) => bidEvent(each)))
  const done: Promise<unknown>[] = []
  const blocker = inTransaction(database.url, async (tx) => {
    await tx.unsafe(held)
    done.push(...[one, two].map((bids) => project(...bids.map((each) => bidEvent(each)))))
    await eventually(async () => {
      const rows = await database.sql`
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`
      return rows.length === 2
    })
    // What the inbox got from here must not count.
    throw new Error('released')
  })
  await expect(blocker).rejects.toThrow('released')
  await Promise.all(done)
  // In the inbox they meet with the same events: whoever came first has them.
  const { inbox, users: stored } = await storedProjections(database.sql)
  expect(inbox).toHaveLength(table === 'inbox_events' ? 3 : 9)
  const bidsCounted = stored.map((row) => Number(/total_bids=(\d+)/.exec(row)?.[1]))
  expect(bidsCounted.reduce((sum, count) => sum + count)).toBe(inbox.length)
})

it('one poison event in a batch: none of it is applied', async () => {
  const good = testBid()
  const poison = bidEvent(testBid(), { amount: 0n })
  await expect(project(bidEvent(good), poison)).rejects.toBeInstanceOf(PoisonEventError)
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections([], []))
  await project(bidEvent(good))
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections([good], []))
})

it('a statement that fails leaves nothing of the batch, the inbox included', async () => {
  const bid = testBid()
  await database.sql`ALTER TABLE market_activity ADD CONSTRAINT broken CHECK (bids < 1) NOT VALID`
  try {
    await expect(project(bidEvent(bid))).rejects.toMatchObject({ code: '23514' })
  } finally {
    await database.sql`ALTER TABLE market_activity DROP CONSTRAINT broken`
  }
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections([], []))
  expect(await project(bidEvent(bid))).toMatchObject({ applied: 1, duplicates: 0 })
})

it('says where users stand now, for repeats too', async () => {
  const bids = [testBid({ amount: 10n ** 15n }), testBid({ amount: 1n })]
  const end: TestEnd = { itemId: randomUUID(), winner: { userId: 'bob', amount: 7n }, atMs: 1 }
  const events = [...bids.map((bid) => bidEvent(bid)), endEvent(end)]
  const standings = [
    { ranking: 'amount:USD', userId: 'ann', total: 10n ** 15n + 1n },
    { ranking: 'bids', userId: 'ann', total: 2n },
    { ranking: 'won', userId: 'ann', total: 0n },
    { ranking: 'amount:USD', userId: 'bob', total: 0n },
    { ranking: 'bids', userId: 'bob', total: 0n },
    { ranking: 'won', userId: 'bob', total: 1n },
  ]
  const placeOf = ({ userId, ranking }: Standing) => `${userId} ${ranking}`
  const byUser = (a: Standing, b: Standing) => (placeOf(a) < placeOf(b) ? -1 : 1)
  const first = await project(...events)
  expect(first).toMatchObject({ applied: 3, duplicates: 0 })
  expect(first.standings.toSorted(byUser)).toEqual(standings)
  // Killed between commit and Redis, the batch comes again: the leaderboards still have to hear of it.
  const again = await project(...events)
  expect(again).toMatchObject({ applied: 0, duplicates: 3 })
  expect(again.standings.toSorted(byUser)).toEqual(standings)
})

it('the same bid under ids in different case is one bid', async () => {
  const bid = testBid()
  await project(bidEvent(bid), bidEvent({ ...bid, id: bid.id.toUpperCase() }))
  await project(bidEvent({ ...bid, itemId: bid.itemId.toUpperCase() }))
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections([bid], []))
})

it('sums go on beyond int64', async () => {
  const itemId = randomUUID()
  const bids = Array.from({ length: 20_000 }, () => testBid({ itemId, amount: 10n ** 15n }))
  await project(...bids.map((bid) => bidEvent(bid)))
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections(bids, []))
})
