import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { describe, expect, it } from 'vitest'
import { type StoredItem, violationsOf } from './check-redis.ts'

const ledger: LedgerEntry[] = [
  { bidId: 'a', itemId: 'i', userId: 'ann', amount: 5n, sequence: 1n },
  { bidId: 'b', itemId: 'i', userId: 'bob', amount: 6n, sequence: 2n },
]
const bids: StoredItem['bids'] = [
  { id: 'a', userId: 'ann', amount: 5, sequence: 1 },
  { id: 'b', userId: 'bob', amount: 6, sequence: 2 },
]
const item: StoredItem = {
  id: 'i',
  price: 6,
  leader: 'bob',
  sequence: 2,
  bids,
  told: ['a', 'b'],
}

describe('violationsOf', () => {
  it('finds nothing wrong where all is there, acknowledged or not', () => {
    expect(violationsOf([item], ledger)).toEqual([])
    expect(violationsOf([item], ledger.slice(1))).toEqual([])
  })

  it.each([
    ['a lost bid', { bids: bids.slice(0, 1) }, /I1: acknowledged bid 2 of 6 .*, stored nothing/],
    [
      'another amount',
      { bids: [bids[0]!, { ...bids[1]!, amount: 7 }] },
      /I1: .* stored bid 2 of 7/,
    ],
    ['a repeat', { bids: [...bids, bids[1]!] }, /I1: bid b is stored more than once/],
    ['a gap', { bids: [bids[0]!, { ...bids[1]!, sequence: 3 }] }, /I2: bid 2 has sequence 3/],
    ['a price that falls', { bids: bids.toReversed() }, /I2: 5 follows 6/],
    ['an item behind its bids', { price: 5 }, /I3: 2 bids up to 6, the item has 2 up to 5/],
    ['another leader', { leader: 'ann' }, /I3/],
    ['an event too few', { told: ['a'] }, /the outbox tells of 1 bids, not of these 2/],
    ['events out of order', { told: ['b', 'a'] }, /the outbox/],
  ])('finds %s', (_, change, said) => {
    expect(violationsOf([{ ...item, ...change }], ledger)).toContainEqual(
      expect.stringMatching(said),
    )
  })
})
