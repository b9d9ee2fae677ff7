import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  ActivityBucketSchema,
  CurrencyMarketSchema,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { describe, expect, it } from 'vitest'
import {
  activityFromMs,
  busiestCurrency,
  formatBucket,
  formatTick,
  isOfRange,
  isRange,
  rangeNames,
  ranges,
  summarise,
  toPoints,
} from './activity-range.ts'

describe.each(rangeNames)('%s', (range) => {
  const { bucketMs, buckets } = ranges[range]
  const nowMs = Date.UTC(2026, 10, 21, 13, 7, 42, 123)

  it('begins on a whole bucket and holds as many as it says, the unfinished one included', () => {
    const fromMs = activityFromMs(range, nowMs)
    expect(fromMs % bucketMs).toBe(0)
    expect(Math.ceil((nowMs - fromMs) / bucketMs)).toBe(buckets)
    expect(activityFromMs(range, nowMs - (nowMs % bucketMs))).toBe(fromMs)
  })

  it('keeps within what the service takes', () => {
    expect(bucketMs % 60_000).toBe(0)
    expect(buckets).toBeLessThanOrEqual(1_000)
  })

  it('has words for its buckets', () => {
    expect(formatTick(nowMs, range)).not.toBe('')
    expect(formatBucket(nowMs, range)).toContain('21')
  })
})

it('knows its names', () => {
  expect(isRange('24h')).toBe(true)
  expect(isRange('toString')).toBe(false)
})

describe('points', () => {
  const bucket = (minute: number, bids: bigint, amount: bigint, uniqueBidders: bigint) => {
    const start = timestampFromMs(minute * 60_000)
    const amounts = [
      { currency: 'EUR', bids, amount },
      { currency: 'JPY', bids: 1n, amount: 7n },
    ]
    return create(ActivityBucketSchema, { start, bids, uniqueBidders, amounts })
  }

  it('are what the service counted', () => {
    const buckets = [bucket(1, 3n, 12_345n, 2n)]
    const counts = { startMs: 60_000, bids: 3, bidders: 2 }
    expect(toPoints(buckets, 'EUR')).toMatchObject([
      { ...counts, amount: 123.45, amountMinor: 12_345n },
    ])
    expect(toPoints(buckets, 'JPY')).toMatchObject([{ ...counts, amount: 7, amountMinor: 7n }])
    expect(toPoints(buckets, 'USD')).toMatchObject([{ ...counts, amount: 0, amountMinor: 0n }])
  })

  it('are of the range that has such steps', () => {
    const points = toPoints(
      [bucket(0, 0n, 0n, 0n), bucket(30, 1n, 1n, 1n), bucket(60, 0n, 0n, 0n)],
      'EUR',
    )
    expect(rangeNames.filter((range) => isOfRange(points, range))).toEqual(['24h'])
    expect(isOfRange([], '24h')).toBe(false)
  })

  it('add up exactly, but not the bidders, who may be the same', () => {
    const large = 9_007_199_254_740_993n
    const points = toPoints(
      [bucket(1, 3n, large, 2n), bucket(2, 5n, 1n, 4n), bucket(3, 0n, 0n, 0n)],
      'EUR',
    )
    const summary = summarise(points)
    expect(summary).toMatchObject({ bids: 8, amountMinor: large + 1n, biddersMost: 4 })
    expect(summary.busiest?.startMs).toBe(120_000)
    expect(summarise(toPoints([bucket(1, 0n, 0n, 0n)], 'EUR')).busiest).toBeUndefined()
  })
})

it('the busiest currency is the one most bids are in', () => {
  const market = (currency: string, bids: bigint) =>
    create(CurrencyMarketSchema, { currency, bids })
  expect(busiestCurrency([market('EUR', 3n), market('JPY', 9n), market('USD', 9n)])).toBe('JPY')
  expect(busiestCurrency([])).toBe('')
})
