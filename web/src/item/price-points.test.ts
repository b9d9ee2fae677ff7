import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Bid, BidSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { GetPriceHistoryResponseSchema } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { hasHole, pricePoints } from './price-points.ts'

function bid(sequence: bigint): Bid {
  const createdAt = timestampFromMs(Number(sequence) * 10)
  return create(BidSchema, { sequence, amount: sequence * 100n, createdAt })
}

const history = create(GetPriceHistoryResponseSchema, {
  startPrice: 50n,
  startAt: timestampFromMs(1),
  points: [1n, 2n].map((sequence) => ({
    sequence,
    amount: sequence * 100n,
    time: timestampFromMs(Number(sequence) * 10),
  })),
})

describe('pricePoints', () => {
  it('goes from the start price over history and newer bids to now', () => {
    expect(pricePoints(history, [bid(4n), bid(3n), bid(2n)], 100)).toEqual([
      { timeMs: 1, amountMinor: 50, kind: 'start' },
      { timeMs: 10, amountMinor: 100, kind: 'bid' },
      { timeMs: 20, amountMinor: 200, kind: 'bid' },
      { timeMs: 30, amountMinor: 300, kind: 'bid' },
      { timeMs: 40, amountMinor: 400, kind: 'bid' },
      { timeMs: 100, amountMinor: 400, kind: 'now' },
    ])
  })

  it('never runs backwards, however late the clock here is', () => {
    expect(pricePoints(history, [], 5).at(-1)).toEqual({
      timeMs: 20,
      amountMinor: 200,
      kind: 'now',
    })
  })

  it('is flat while nobody has bid', () => {
    const quiet = { ...history, points: [] }
    expect(pricePoints(quiet, [], 9).map(({ amountMinor }) => amountMinor)).toEqual([50, 50])
  })
})

describe('hasHole', () => {
  const upToFour = create(GetPriceHistoryResponseSchema, { points: [{ sequence: 4n }] })

  it('is there when the stream begins later than after the last point', () => {
    expect(hasHole(upToFour, [bid(7n), bid(6n)])).toBe(true)
    expect(hasHole(create(GetPriceHistoryResponseSchema), [bid(2n)])).toBe(true)
  })

  it('is not there when they join, overlap, or nothing is newer', () => {
    expect(hasHole(upToFour, [bid(6n), bid(5n)])).toBe(false)
    expect(hasHole(upToFour, [bid(5n), bid(4n), bid(3n)])).toBe(false)
    expect(hasHole(upToFour, [bid(4n)])).toBe(false)
    expect(hasHole(undefined, [bid(4n)])).toBe(false)
  })
})
