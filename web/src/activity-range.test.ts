import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ActivityBucketSchema } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { describe, expect, it } from 'vitest'
import {
  activityFromMs,
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
    return create(ActivityBucketSchema, { start, bids, amount, uniqueBidders })
  }

  it('are what the service counted', () => {
    expect(toPoints([bucket(1, 3n, 12_345n, 2n)])).toEqual([
      { startMs: 60_000, bids: 3, bidders: 2, amount: 123.45, amountMinor: 12_345n },
    ])
  })

  it('are of the range that has such steps', () => {
    const points = toPoints([bucket(0, 0n, 0n, 0n), bucket(30, 1n, 1n, 1n), bucket(60, 0n, 0n, 0n)])
    expect(rangeNames.filter((range) => isOfRange(points, range))).toEqual(['24h'])
    expect(isOfRange([], '24h')).toBe(false)
  })

  it('add up exactly, but not the bidders, who may be the same', () => {
    const large = 9_007_199_254_740_993n
    const points = toPoints([
      bucket(1, 3n, large, 2n),
      bucket(2, 5n, 1n, 4n),
      bucket(3, 0n, 0n, 0n),
    ])
    const summary = summarise(points)
    expect(summary).toMatchObject({ bids: 8, amountMinor: large + 1n, biddersMost: 4 })
    expect(summary.busiest?.startMs).toBe(120_000)
    expect(summarise(toPoints([bucket(1, 0n, 0n, 0n)])).busiest).toBeUndefined()
  })
})
