/** A batch added up by hand, and the two properties concurrency rests on: no order matters, keys are sorted. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BidFact, EndFact, Fact } from './facts.ts'
import { tallyFacts } from './tally.ts'

let count = 0
function bid(over: Partial<BidFact> = {}): BidFact {
  count += 1
  const ids = { eventId: String(count), itemId: 'lamp', currency: 'USD', userId: 'ann' }
  return { kind: 'bid', ...ids, amount: 100n, atMs: 60_000, ...over }
}

function end(over: Partial<EndFact> = {}): EndFact {
  count += 1
  const ids = { eventId: String(count), itemId: 'lamp', currency: 'USD', winnerId: 'ann' }
  return { kind: 'end', ...ids, atMs: 300_000, outcome: 'sold', hammerPrice: 300n, ...over }
}

it('adds up nothing', () => {
  expect(tallyFacts([])).toEqual({
    users: [],
    amounts: [],
    items: [],
    pairs: [],
    activity: [],
  })
})

it('adds up users, items, pairs and minutes', () => {
  const sold = end()
  const tally = tallyFacts([
    bid({ amount: 300n, atMs: 119_999 }),
    bid({ userId: 'bob', amount: 200n, atMs: 59_999 }),
    sold,
    bid({ itemId: 'desk', currency: 'EUR', amount: 50n, atMs: 60_000 }),
    bid({ amount: 100n, atMs: 120_000 }),
  ])
  expect(tally.users).toEqual([
    {
      userId: 'ann',
      bids: 3n,
      itemsWon: 1n,
      firstBidAtMs: 60_000,
      lastBidAtMs: 120_000,
      lastUpdatedAtMs: 300_000,
    },
    {
      userId: 'bob',
      bids: 1n,
      itemsWon: 0n,
      firstBidAtMs: 59_999,
      lastBidAtMs: 59_999,
      lastUpdatedAtMs: 59_999,
    },
  ])
  expect(tally.amounts).toEqual([
    { userId: 'ann', currency: 'EUR', amount: 50n, highestBid: 50n, amountWon: 0n },
    { userId: 'ann', currency: 'USD', amount: 400n, highestBid: 300n, amountWon: 300n },
    { userId: 'bob', currency: 'USD', amount: 200n, highestBid: 200n, amountWon: 0n },
  ])
  expect(tally.items).toEqual([
    {
      itemId: 'desk',
      currency: 'EUR',
      bids: 1n,
      highestBid: 50n,
      firstBidAtMs: 60_000,
      lastBidAtMs: 60_000,
      end: undefined,
    },
    {
      itemId: 'lamp',
      currency: 'USD',
      bids: 3n,
      highestBid: 300n,
      firstBidAtMs: 59_999,
      lastBidAtMs: 120_000,
      end: sold,
    },
  ])
  expect(tally.pairs).toEqual([
    { itemId: 'desk', userId: 'ann', bids: 1n, amount: 50n, highestBid: 50n },
    { itemId: 'lamp', userId: 'ann', bids: 2n, amount: 400n, highestBid: 300n },
    { itemId: 'lamp', userId: 'bob', bids: 1n, amount: 200n, highestBid: 200n },
  ])
  expect(tally.activity).toEqual([
    { minuteMs: 0, userId: 'bob', currency: 'USD', bids: 1n, amount: 200n },
    { minuteMs: 120_000, userId: 'ann', currency: 'USD', bids: 1n, amount: 100n },
    { minuteMs: 60_000, userId: 'ann', currency: 'EUR', bids: 1n, amount: 50n },
    { minuteMs: 60_000, userId: 'ann', currency: 'USD', bids: 1n, amount: 300n },
  ])
})

it('a winner without a bid in the batch has no bid times', () => {
  expect(tallyFacts([end()]).users).toMatchObject([
    { userId: 'ann', bids: 0n, firstBidAtMs: undefined, lastBidAtMs: undefined, itemsWon: 1n },
  ])
})

it('an unsold item is nobody’s', () => {
  const unsold = end({ outcome: 'unsold', winnerId: '', hammerPrice: 0n })
  expect(tallyFacts([unsold])).toMatchObject({ users: [], items: [{ end: unsold }], pairs: [] })
})

it('sums do not overflow', () => {
  const bids = Array.from({ length: 20_000 }, () => bid({ amount: 10n ** 15n }))
  expect(tallyFacts(bids).amounts[0]?.amount).toBe(2n * 10n ** 19n)
})

// Ids that sort differently as UTF-16, as UTF-8 and by a locale.
const users = fc.constantFrom('a', 'B', 'ä', 'Z', '\u{ff5e}', '\u{1f600}', 'a b', 'a  b')
const facts = fc.array(
  fc.oneof(
    fc
      .record({
        item: fc.constantFrom(
          { itemId: '1', currency: 'USD' },
          { itemId: '2', currency: 'EUR' },
          { itemId: '3', currency: 'USD' },
        ),
        userId: users,
        amount: fc.bigInt(1n, 10n ** 15n),
        atMs: fc.integer({ min: 0, max: 400_000 }),
      })
      .map(({ item, ...over }): Fact => bid({ ...item, ...over })),
    fc
      .record({ itemId: fc.constantFrom('4', '5', '6'), winnerId: users })
      .map((over): Fact => end(over)),
  ),
)

it('neither order nor cuts change which keys come out in which order', () => {
  fc.assert(
    fc.property(facts, fc.gen(), (batch, gen) => {
      // One end per item, as on the write side.
      const ended = new Set<string>()
      const unique = batch.filter(({ kind, itemId }) => {
        if (kind === 'bid') return true
        const first = !ended.has(itemId)
        ended.add(itemId)
        return first
      })
      const shuffled = gen(fc.shuffledSubarray, unique, { minLength: unique.length })
      const tally = tallyFacts(unique)
      expect(tallyFacts(shuffled)).toEqual(tally)
      // Two batches that share keys must name them in the same order.
      const part = tallyFacts(gen(fc.subarray, unique))
      const orderOf = (each: typeof tally) => [
        each.users.map(({ userId }) => userId),
        each.amounts.map(({ userId, currency }) => `${currency} ${userId}`),
        each.items.map(({ itemId }) => itemId),
        each.pairs.map(({ itemId, userId }) => `${itemId} ${userId}`),
        each.activity.map(({ minuteMs, userId, currency }) => `${minuteMs} ${currency} ${userId}`),
      ]
      const order = orderOf(tally)
      for (const [table, keys] of orderOf(part).entries()) {
        expect(order[table]?.filter((key) => keys.includes(key))).toEqual(keys)
      }
    }),
  )
})
