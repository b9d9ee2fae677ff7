/** Queries of the read side: SQL straight into response values. A sum too large for int64 is shown as its largest. */
import { create } from '@bufbuild/protobuf'
import { timestampFromDate, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import {
  type ActivityBucket,
  ActivityBucketSchema,
  type ItemStats,
  ItemStatsSchema,
  type TopBidder,
  TopBidderSchema,
  type UserStats,
  UserStatsSchema,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres.ts'
import type { Leaderboards, Ranking } from './leaderboards.ts'

const MAX_INT64 = 2n ** 63n - 1n

function saturated(sum: string): bigint {
  const exact = BigInt(sum)
  return exact > MAX_INT64 ? MAX_INT64 : exact
}

function timestampOf(date: Date | null) {
  return date ? timestampFromDate(date) : undefined
}

type UserStatsRow = {
  user_id: string
  total_bids: bigint
  total_amount: string
  items_bid_on: bigint
  highest_bid: bigint
  items_won: bigint
  amount_won: string
  first_bid_at: Date | null
  last_bid_at: Date | null
  last_updated_at: Date
}

/** Zeros for a user never seen. */
export async function getUserStats(sql: Sql, userId: string): Promise<UserStats> {
  const [row] = await sql<UserStatsRow[]>`
    SELECT user_id, total_bids, total_amount, items_bid_on, highest_bid, items_won, amount_won,
      first_bid_at, last_bid_at, last_updated_at
    FROM user_stats WHERE user_id = ${userId}`
  if (!row) return create(UserStatsSchema, { userId })
  const firstBidAt = timestampOf(row.first_bid_at)
  const lastBidAt = timestampOf(row.last_bid_at)
  return create(UserStatsSchema, {
    userId,
    totalBids: row.total_bids,
    totalAmount: saturated(row.total_amount),
    lastUpdatedAt: timestampFromDate(row.last_updated_at),
    itemsBidOn: row.items_bid_on,
    highestBid: row.highest_bid,
    itemsWon: row.items_won,
    amountWon: saturated(row.amount_won),
    ...(firstBidAt && { firstBidAt }),
    ...(lastBidAt && { lastBidAt }),
  })
}

type ItemStatsRow = {
  total_bids: bigint
  unique_bidders: bigint
  highest_bid: bigint
  first_bid_at: Date | null
  last_bid_at: Date | null
  outcome: 'sold' | 'unsold' | null
  hammer_price: bigint
}

const outcomes = { sold: ItemOutcome.SOLD, unsold: ItemOutcome.UNSOLD } as const

/** Zeros for an item never seen. */
export async function getItemStats(sql: Sql, itemId: string): Promise<ItemStats> {
  const [row] = await sql<ItemStatsRow[]>`
    SELECT total_bids, unique_bidders, highest_bid, first_bid_at, last_bid_at, outcome, hammer_price
    FROM item_stats WHERE item_id = ${itemId}`
  if (!row) return create(ItemStatsSchema, { itemId })
  const firstBidAt = timestampOf(row.first_bid_at)
  const lastBidAt = timestampOf(row.last_bid_at)
  return create(ItemStatsSchema, {
    itemId,
    totalBids: row.total_bids,
    uniqueBidders: row.unique_bidders,
    highestBid: row.highest_bid,
    ...(firstBidAt && { firstBidAt }),
    ...(lastBidAt && { lastBidAt }),
    outcome: row.outcome ? outcomes[row.outcome] : ItemOutcome.UNSPECIFIED,
    hammerPrice: row.hammer_price,
  })
}

type BidderRow = {
  user_id: string
  total_bids: bigint
  total_amount: string
  items_won: bigint
  highest_bid: bigint
}

function bidderOf(row: BidderRow): TopBidder {
  return create(TopBidderSchema, {
    userId: row.user_id,
    totalBids: row.total_bids,
    totalAmount: saturated(row.total_amount),
    itemsWon: row.items_won,
    highestBid: row.highest_bid,
  })
}

const rankColumns = {
  bids: 'total_bids',
  amount: 'total_amount',
  won: 'items_won',
} as const satisfies Record<Ranking, string>

/** The leaders over all items: ranked by Redis when it can, by Postgres otherwise; the same either way. */
export async function listTopBidders(
  sql: Sql,
  leaderboards: Leaderboards,
  ranking: Ranking,
  limit: number,
): Promise<TopBidder[]> {
  const leaders = await leaderboards.top(ranking, limit)
  const rows = await sql<BidderRow[]>`
    SELECT user_id, total_bids, total_amount, items_won, highest_bid FROM user_stats
    ${leaders ? sql`WHERE user_id = ANY (${leaders}::text[])` : sql``}
    ORDER BY ${sql(rankColumns[ranking])} DESC, user_id
    LIMIT ${limit}`
  return rows.map(bidderOf)
}

/** The leaders on one item. */
export async function listItemTopBidders(
  sql: Sql,
  itemId: string,
  ranking: Ranking,
  limit: number,
): Promise<TopBidder[]> {
  const rows = await sql<BidderRow[]>`
    SELECT user_id, total_bids, total_amount, highest_bid, items_won FROM (
      SELECT p.user_id, p.bids AS total_bids, p.amount AS total_amount, p.highest_bid,
        (i.winner_id = p.user_id AND i.outcome = 'sold')::int::bigint AS items_won
      FROM user_items p JOIN item_stats i USING (item_id)
      WHERE item_id = ${itemId}
    ) AS bidders
    ORDER BY ${sql(rankColumns[ranking])} DESC, user_id
    LIMIT ${limit}`
  return rows.map(bidderOf)
}

type BucketRow = { bucket: bigint; bids: bigint; amount: string; unique_bidders: bigint }

/**
 * Equal buckets from `fromMs` (a multiple of the bucket since 1970) up to `toMs`, empty ones included.
 *
 * @param bucketMs whole minutes
 */
export async function getMarketActivity(
  sql: Sql,
  fromMs: number,
  toMs: number,
  bucketMs: number,
): Promise<ActivityBucket[]> {
  const rows = await sql<BucketRow[]>`
    SELECT floor(extract(epoch FROM minute) * 1000 / ${bucketMs})::bigint AS bucket,
      sum(bids)::bigint AS bids, sum(amount)::text AS amount, count(DISTINCT user_id) AS unique_bidders
    FROM activity
    WHERE minute >= ${new Date(fromMs).toISOString()} AND minute < ${new Date(toMs).toISOString()}
    GROUP BY 1`
  const byBucket = new Map(rows.map((row) => [Number(row.bucket), row]))
  const count = Math.ceil((toMs - fromMs) / bucketMs)
  return Array.from({ length: count }, (_, n) => {
    const startMs = fromMs + n * bucketMs
    const row = byBucket.get(startMs / bucketMs)
    return create(ActivityBucketSchema, {
      start: timestampFromMs(startMs),
      bids: row?.bids ?? 0n,
      amount: saturated(row?.amount ?? '0'),
      uniqueBidders: row?.unique_bidders ?? 0n,
    })
  })
}
