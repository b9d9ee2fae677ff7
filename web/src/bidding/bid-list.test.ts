import { create } from '@bufbuild/protobuf'
import { type Bid, BidSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { bidsMissing, highestOf, mergeBids, topBids } from './bid-list.ts'

function bid(sequence: number, userId = 'ann'): Bid {
  const amount = BigInt(sequence) * 100n
  return create(BidSchema, { id: `bid-${sequence}`, userId, amount, sequence: BigInt(sequence) })
}

function sequences(bids: readonly Bid[]): number[] {
  return bids.map(({ sequence }) => Number(sequence))
}

describe('mergeBids', () => {
  it('has every bid once, newest first', () => {
    const merged = mergeBids([bid(3), bid(2)], [bid(1)], [bid(5), bid(4), bid(3)])
    expect(sequences(merged)).toEqual([5, 4, 3, 2, 1])
    expect(mergeBids()).toEqual([])
  })
})

describe('bidsMissing', () => {
  it.each([
    ['nothing where there is nothing', [], 0n, false],
    ['all of a page', [5, 4, 3], 5n, false],
    ['the newest', [5, 4, 3], 6n, true],
    ['one in between', [7, 6, 4, 3], 7n, true],
    ['everything', [], 2n, true],
    // The stream is ahead of the item that is shown.
    ['nothing, and knows more', [6, 5], 5n, false],
  ])('misses %s', (_, known, sequence, expected) => {
    expect(
      bidsMissing(
        known.map((at) => bid(at)),
        sequence,
      ),
    ).toBe(expected)
  })
})

describe('topBids', () => {
  it('names each of the three leaders once, with their highest', () => {
    const bids = [bid(6, 'cleo'), bid(5, 'ann'), bid(4, 'cleo'), bid(3, 'bob'), bid(2, 'dev')]
    expect(sequences(topBids(bids))).toEqual([6, 5, 3])
    expect(sequences(topBids(bids.toReversed()))).toEqual([6, 5, 3])
  })
})

describe('highestOf', () => {
  it('is of that bidder alone', () => {
    const bids = [bid(3, 'bob'), bid(1, 'ann'), bid(2, 'ann')]
    expect(highestOf(bids, 'ann')).toBe(200n)
    expect(highestOf(bids, 'eve')).toBeUndefined()
  })
})
