/** How far back the market's activity is shown, and in what steps. Pure. */
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type {
  ActivityBucket,
  CurrencyMarket,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { fractionDigits } from '../ui/money.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Some fifty buckets each: as many bars as a phone can show and a desktop fill. */
export const ranges = {
  '1h': { label: '1 h', words: 'the last hour', bucketMs: MINUTE_MS, buckets: 60 },
  '24h': { label: '24 h', words: 'the last 24 hours', bucketMs: 30 * MINUTE_MS, buckets: 48 },
  '7d': { label: '7 d', words: 'the last 7 days', bucketMs: 3 * HOUR_MS, buckets: 56 },
} as const

export type Range = keyof typeof ranges

export const rangeNames = Object.keys(ranges).filter(isRange)

export function isRange(text: string): text is Range {
  return Object.hasOwn(ranges, text)
}

/** Start of the first bucket: the last one has begun and goes on. */
export function activityFromMs(range: Range, nowMs: number): number {
  const { bucketMs, buckets } = ranges[range]
  return nowMs - (nowMs % bucketMs) - (buckets - 1) * bucketMs
}

/** A bucket as a chart takes it: amounts only as exact as a picture can be. */
export type ActivityPoint = {
  startMs: number
  bids: number
  bidders: number
  /** In units of the chosen currency. */
  amount: number
  amountMinor: bigint
  /** Of all currencies bid in. */
  amounts: readonly { currency: string; amount: bigint }[]
}

/** The one most bids are in, of those there are; empty without any. */
export function busiestCurrency(currencies: readonly CurrencyMarket[]): string {
  const busiest = currencies.toSorted((a, b) => Number(b.bids - a.bids))[0]
  return busiest?.currency ?? ''
}

/** @param currency whose amounts are drawn */
export function toPoints(
  buckets: readonly ActivityBucket[],
  currency: string,
): readonly ActivityPoint[] {
  const unit = 10 ** fractionDigits(currency)
  return buckets.map(({ start, bids, uniqueBidders, amounts }) => {
    const amountMinor = amounts.find((each) => each.currency === currency)?.amount ?? 0n
    return {
      startMs: start ? timestampMs(start) : 0,
      bids: Number(bids),
      bidders: Number(uniqueBidders),
      amount: Number(amountMinor) / unit,
      amountMinor,
      amounts,
    }
  })
}

/** Whether points are of this range, and not of the one that was chosen before it. */
export function isOfRange(points: readonly ActivityPoint[], range: Range): boolean {
  const [first, second] = points
  return !!first && !!second && second.startMs - first.startMs === ranges[range].bucketMs
}

export type ActivitySummary = {
  bids: number
  amountMinor: bigint
  /** Undefined when nothing happened. */
  busiest: ActivityPoint | undefined
  /** Most different bidders within one bucket: over several they cannot be added up. */
  biddersMost: number
}

export function summarise(points: readonly ActivityPoint[]): ActivitySummary {
  const summary: ActivitySummary = { bids: 0, amountMinor: 0n, busiest: undefined, biddersMost: 0 }
  for (const point of points) {
    summary.bids += point.bids
    summary.amountMinor += point.amountMinor
    summary.biddersMost = Math.max(summary.biddersMost, point.bidders)
    if (point.bids > (summary.busiest?.bids ?? 0)) summary.busiest = point
  }
  return summary
}

/** Of a bucket's start, at the axis: the time of a short range, the day of a long one. */
export function formatTick(ms: number, range: Range): string {
  const isLong = range === '7d'
  const day = { weekday: 'short', day: 'numeric' } as const
  return new Intl.DateTimeFormat(undefined, isLong ? day : { timeStyle: 'short' }).format(ms)
}

/** In full, for a tooltip: "21 Nov, 13:00 – 13:30". */
export function formatBucket(startMs: number, range: Range): string {
  const { bucketMs } = ranges[range]
  const format = new Intl.DateTimeFormat(undefined, {
    day: 'numeric',
    month: 'short',
    hour: 'numeric',
    minute: '2-digit',
  })
  return format.formatRange(startMs, startMs + bucketMs)
}

/** As short as a table's first column must be on a phone: "21 Nov, 13:00". */
export function formatStart(startMs: number): string {
  const day = { day: 'numeric', month: 'short' } as const
  const time = { hour: 'numeric', minute: '2-digit' } as const
  return new Intl.DateTimeFormat(undefined, { ...day, ...time }).format(startMs)
}
