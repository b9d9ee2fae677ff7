/**
 * What happens on the market over a span of time, in buckets and by currency. Bids that an earlier version
 * counted are in `activity`, without a currency.
 */
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  ActivityBucketSchema,
  type CurrencyMarket,
  CurrencyMarketSchema,
  type GetMarketActivityResponse,
  GetMarketActivityResponseSchema,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { saturated } from './queries.ts'

/** Of a bucket: all of it where `currency` is null. */
type BucketRow = {
  bucket: bigint
  currency: string | null
  bids: bigint
  amount: string
  unique_bidders: bigint
}

/**
 * Equal buckets from `fromMs` (a multiple of the bucket since 1970) up to `toMs`, empty ones included, and the
 * sums of that time by currency.
 *
 * @param bucketMs whole minutes
 */
export async function getMarketActivity(
  sql: Sql,
  fromMs: number,
  toMs: number,
  bucketMs: number,
): Promise<GetMarketActivityResponse> {
  const [rows, ends] = await Promise.all([
    readBuckets(sql, fromMs, toMs, bucketMs),
    readEnds(sql, fromMs, toMs),
  ])
  const byBucket = Map.groupBy(rows, (row) => Number(row.bucket))
  const currencies = marketOf(rows, ends).toSorted(byCurrency)
  const isOne = currencies.filter(({ bids }) => bids > 0n).length === 1
  const buckets = Array.from({ length: Math.ceil((toMs - fromMs) / bucketMs) }, (_, n) => {
    const startMs = fromMs + n * bucketMs
    const inBucket = byBucket.get(startMs / bucketMs) ?? []
    const all = inBucket.find(({ currency }) => currency === null)
    const amounts = inBucket.flatMap(({ currency, bids, amount }) =>
      currency === null ? [] : { currency, bids, amount: saturated(amount) },
    )
    return create(ActivityBucketSchema, {
      start: timestampFromMs(startMs),
      bids: all?.bids ?? 0n,
      amount: isOne ? (amounts[0]?.amount ?? 0n) : 0n,
      uniqueBidders: all?.unique_bidders ?? 0n,
      amounts: amounts.toSorted(byCurrency),
    })
  })
  return create(GetMarketActivityResponseSchema, { buckets, currencies })
}

async function readBuckets(sql: Sql, fromMs: number, toMs: number, bucketMs: number) {
  const span = sql`minute >= ${isoTime(fromMs)} AND minute < ${isoTime(toMs)}`
  return await sql<BucketRow[]>`
    SELECT floor(extract(epoch FROM minute) * 1000 / ${bucketMs})::bigint AS bucket, currency,
      sum(bids)::bigint AS bids, sum(amount)::text AS amount, count(DISTINCT user_id) AS unique_bidders
    FROM (
      SELECT minute, user_id, currency, bids, amount FROM market_activity WHERE ${span}
      UNION ALL
      SELECT minute, user_id, '', bids, amount FROM activity WHERE ${span}
    ) AS minutes
    GROUP BY GROUPING SETS ((1), (1, currency))`
}

type EndsRow = {
  currency: string
  sold: bigint
  unsold: bigint
  hammer_total: string | null
  median: bigint | null
}

async function readEnds(sql: Sql, fromMs: number, toMs: number): Promise<EndsRow[]> {
  return await sql<EndsRow[]>`
    SELECT currency, count(*) FILTER (WHERE outcome = 'sold') AS sold,
      count(*) FILTER (WHERE outcome = 'unsold') AS unsold,
      sum(hammer_price) FILTER (WHERE outcome = 'sold')::text AS hammer_total,
      percentile_disc(0.5) WITHIN GROUP (ORDER BY hammer_price) FILTER (WHERE outcome = 'sold') AS median
    FROM item_stats
    WHERE ended_at >= ${isoTime(fromMs)} AND ended_at < ${isoTime(toMs)}
    GROUP BY currency`
}

function marketOf(rows: readonly BucketRow[], ends: readonly EndsRow[]): CurrencyMarket[] {
  const bids = Map.groupBy(rows, (row) => row.currency)
  bids.delete(null)
  const currencies = new Set([...bids.keys(), ...ends.map((row) => row.currency)])
  return [...currencies].map((currency) => {
    const own = bids.get(currency) ?? []
    const end = ends.find((row) => row.currency === currency)
    return create(CurrencyMarketSchema, {
      currency: currency ?? '',
      bids: own.reduce((sum, row) => sum + row.bids, 0n),
      amount: saturated(String(own.reduce((sum, row) => sum + BigInt(row.amount), 0n))),
      itemsSold: end?.sold ?? 0n,
      itemsUnsold: end?.unsold ?? 0n,
      hammerTotal: saturated(end?.hammer_total ?? '0'),
      medianHammerPrice: end?.median ?? 0n,
    })
  })
}

function byCurrency(a: { currency: string }, b: { currency: string }): number {
  return a.currency < b.currency ? -1 : 1
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString()
}
