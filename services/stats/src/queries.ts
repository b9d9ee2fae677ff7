/** Queries of users and items: SQL straight into response values. A sum too large for int64 is shown as its largest. */
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import {
  type CurrencyAmounts,
  CurrencyAmountsSchema,
  type ItemStats,
  ItemStatsSchema,
  type TopBidder,
  TopBidderSchema,
  type UserStats,
  UserStatsSchema,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Leaderboards } from './leaderboards.ts'
import type { Ranking } from './standings.ts'

const MAX_INT64 = 2n ** 63n - 1n

export function saturated(sum: string): bigint {
  const exact = BigInt(sum)
  return exact > MAX_INT64 ? MAX_INT64 : exact
}

function timestampOf(date: Date | null) {
  return date ? timestampFromDate(date) : undefined
}

type AmountsJson = { currency: string; total: string; won: string; highest: string }

/**
 * The sums of a row `u` of user_stats, by currency. Those of unknown currency are in `u` itself, where the
 * version before put them, or come of events that name none.
 */
function amountsOfUser(sql: Sql) {
  return sql`coalesce((
    SELECT jsonb_agg(jsonb_build_object('currency', currency, 'total', total::text, 'won', won::text,
      'highest', highest::text) ORDER BY currency)
    FROM (
      SELECT currency, sum(total_amount) AS total, sum(amount_won) AS won, max(highest_bid) AS highest
      FROM (
        SELECT currency, total_amount, amount_won, highest_bid FROM user_amounts
        WHERE user_id = u.user_id
        UNION ALL
        SELECT '', u.total_amount, u.amount_won, u.highest_bid
        WHERE u.total_amount > 0 OR u.amount_won > 0
      ) AS parts
      GROUP BY currency
    ) AS sums), '[]')`
}

function amountsOf(rows: readonly AmountsJson[]): CurrencyAmounts[] {
  return rows.map(({ currency, total, won, highest }) =>
    create(CurrencyAmountsSchema, {
      currency,
      totalAmount: saturated(total),
      amountWon: saturated(won),
      highestBid: BigInt(highest),
    }),
  )
}

/** For fields that do not say of which currency they are. */
function onlyOf(amounts: readonly CurrencyAmounts[]): CurrencyAmounts {
  const [only, second] = amounts
  return only && !second ? only : create(CurrencyAmountsSchema)
}

type UserStatsRow = {
  total_bids: bigint
  items_bid_on: bigint
  items_won: bigint
  amounts: AmountsJson[]
  first_bid_at: Date | null
  last_bid_at: Date | null
  last_updated_at: Date
}

/** Zeros for a user never seen. */
export async function getUserStats(sql: Sql, userId: string): Promise<UserStats> {
  const [row] = await sql<UserStatsRow[]>`
    SELECT total_bids, items_bid_on, items_won, ${amountsOfUser(sql)} AS amounts,
      first_bid_at, last_bid_at, last_updated_at
    FROM user_stats u WHERE user_id = ${userId}`
  if (!row) return create(UserStatsSchema, { userId })
  const firstBidAt = timestampOf(row.first_bid_at)
  const lastBidAt = timestampOf(row.last_bid_at)
  const amounts = amountsOf(row.amounts)
  const { totalAmount, amountWon, highestBid } = onlyOf(amounts)
  return create(UserStatsSchema, {
    userId,
    totalBids: row.total_bids,
    totalAmount,
    lastUpdatedAt: timestampFromDate(row.last_updated_at),
    itemsBidOn: row.items_bid_on,
    highestBid,
    itemsWon: row.items_won,
    amountWon,
    ...(firstBidAt && { firstBidAt }),
    ...(lastBidAt && { lastBidAt }),
    amounts,
  })
}

type ItemStatsRow = {
  currency: string
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
    SELECT currency, total_bids, unique_bidders, highest_bid, first_bid_at, last_bid_at, outcome,
      hammer_price
    FROM item_stats WHERE item_id = ${itemId}`
  if (!row) return create(ItemStatsSchema, { itemId })
  const firstBidAt = timestampOf(row.first_bid_at)
  const lastBidAt = timestampOf(row.last_bid_at)
  return create(ItemStatsSchema, {
    itemId,
    currency: row.currency,
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
  items_won: bigint
  amounts: AmountsJson[]
}

function bidderOf(row: BidderRow): TopBidder {
  const amounts = amountsOf(row.amounts)
  const { totalAmount, highestBid } = onlyOf(amounts)
  return create(TopBidderSchema, {
    userId: row.user_id,
    totalBids: row.total_bids,
    totalAmount,
    itemsWon: row.items_won,
    highestBid,
    amounts,
  })
}

/** What leaders are ordered by, descending; equals by user id. */
export type Order = 'bids' | 'amount' | 'won'

const orderColumns = {
  bids: 'total_bids',
  amount: 'total_amount',
  won: 'items_won',
} as const satisfies Record<Order, string>

export type TopBiddersOptions = {
  order: Order
  /** For the order `amount`. Empty: the one most users have bid in. */
  currency: string
  limit: number
}

/** The leaders over all items: ranked by Redis when it can, by Postgres otherwise; the same either way. */
export async function listTopBidders(
  sql: Sql,
  leaderboards: Leaderboards,
  { order, currency: asked, limit }: TopBiddersOptions,
): Promise<TopBidder[]> {
  const currency = order === 'amount' ? asked || (await mostUsedCurrency(sql)) : ''
  const ranking: Ranking = order === 'amount' ? `amount:${currency}` : order
  const leaders = await leaderboards.top(ranking, limit)
  const from =
    order === 'amount'
      ? sql`user_amounts WHERE currency = ${currency}`
      : sql`user_stats WHERE ${sql(orderColumns[order])} >= 0`
  const rows = await sql<BidderRow[]>`
    WITH leaders AS (
      SELECT user_id, ${sql(orderColumns[order])} AS score FROM ${from}
      ${leaders ? sql`AND user_id = ANY (${leaders}::text[])` : sql``}
      ORDER BY score DESC, user_id
      LIMIT ${limit}
    )
    SELECT user_id, u.total_bids, u.items_won, ${amountsOfUser(sql)} AS amounts
    FROM leaders JOIN user_stats u USING (user_id)
    ORDER BY score DESC, user_id`
  return rows.map(bidderOf)
}

/** Counted anew: about 0.1 s for a million users, of those only who do not say which they mean. */
async function mostUsedCurrency(sql: Sql): Promise<string> {
  const [row] = await sql<{ currency: string }[]>`
    SELECT currency FROM user_amounts WHERE currency <> ''
    GROUP BY currency ORDER BY count(*) DESC, currency LIMIT 1`
  return row?.currency ?? ''
}

/** The leaders on one item. */
export async function listItemTopBidders(
  sql: Sql,
  itemId: string,
  order: Order,
  limit: number,
): Promise<TopBidder[]> {
  const rows = await sql<BidderRow[]>`
    SELECT user_id, total_bids, items_won, jsonb_build_array(jsonb_build_object(
      'currency', currency, 'total', total_amount::text, 'highest', highest_bid::text,
      'won', CASE WHEN items_won = 1 THEN hammer_price::text ELSE '0' END)) AS amounts
    FROM (
      SELECT p.user_id, p.bids AS total_bids, p.amount AS total_amount, p.highest_bid, i.currency,
        i.hammer_price, (i.winner_id = p.user_id AND i.outcome = 'sold')::int::bigint AS items_won
      FROM user_items p JOIN item_stats i USING (item_id)
      WHERE item_id = ${itemId}
    ) AS bidders
    ORDER BY ${sql(orderColumns[order])} DESC, user_id
    LIMIT ${limit}`
  return rows.map(bidderOf)
}
