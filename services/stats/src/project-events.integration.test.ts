/**
 * I4 and I5 on a real Postgres: whatever the order, the repeats and the cuts, two consumers at once leave
 * what a recomputation from the facts gives. A deadlock between them would reject, and fail the test.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingEvent } from '@bidmesh/platform/broker.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { PoisonEventError } from './facts.ts'
import { projectEvents } from './project-events.ts'
import { migrationsDirectory } from './stats-part.ts'
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
  await database.sql`TRUNCATE inbox, user_items, user_stats, item_stats, activity`
}

const project = (...events: IncomingEvent[]) => projectEvents(database.session, events)

// Few users and items, so that batches meet; ids that sort differently as UTF-16, UTF-8 and by a locale.
const users = ['ann', 'Ann', 'änn', 'zoe', '\u{ff5e}', '\u{1f600}', 'a b', "o'neil"]
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
          testBid({ ...bid, itemId: itemIds[item] ?? '' }),
        )
        const ended = ends.flatMap((end, item): TestEnd[] => {
          if (!end) return []
          const { atMs, winner } = end
          return [{ itemId: itemIds[item] ?? '', atMs, ...(winner && { winner }) }]
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

it('four consumers on the same few keys wait for each other and never deadlock', async () => {
  const itemIds = Array.from({ length: 20 }, () => randomUUID())
  const bids = Array.from({ length: 4_000 }, (_, n) =>
    testBid({ itemId: itemIds[(n * 7) % 20] ?? '', userId: users[(n * 5) % 8] ?? '' }),
  )
  await Promise.all(
    [0, 1, 2, 3].map(async (consumer) => {
      // Neighbours share half of each batch, in opposite order.
      const batches = cut(bids, [100]).map((batch) => batch.map((bid) => bidEvent(bid)))
      for (let n = 0; n < batches.length; n += 1) {
        const batch = [...(batches[n] ?? []), ...(batches[(n + 1) % batches.length] ?? [])]
        await project(...(consumer % 2 === 0 ? batch : batch.toReversed()))
      }
    }),
  )
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections(bids, []))
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
  await database.sql`ALTER TABLE activity ADD CONSTRAINT broken CHECK (bids < 1) NOT VALID`
  try {
    await expect(project(bidEvent(bid))).rejects.toMatchObject({ code: '23514' })
  } finally {
    await database.sql`ALTER TABLE activity DROP CONSTRAINT broken`
  }
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections([], []))
  expect(await project(bidEvent(bid))).toMatchObject({ applied: 1, duplicates: 0 })
})

it('says where users stand now, for repeats too', async () => {
  const bids = [testBid({ amount: 10n ** 15n }), testBid({ amount: 1n })]
  const end: TestEnd = { itemId: randomUUID(), winner: { userId: 'bob', amount: 7n }, atMs: 1 }
  const events = [...bids.map((bid) => bidEvent(bid)), endEvent(end)]
  const standings = [
    { userId: 'ann', totalBids: 2n, totalAmount: '1000000000000001', itemsWon: 0n },
    { userId: 'bob', totalBids: 0n, totalAmount: '0', itemsWon: 1n },
  ]
  const byUser = (a: { userId: string }, b: { userId: string }) => (a.userId < b.userId ? -1 : 1)
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
