/**
 * What live reads of the write side's database, never more than reads: items for rooms, and the two questions
 * that only the stored bids can answer. From the primary, because a newcomer's snapshot must not be older
 * than what they have just seen elsewhere.
 */
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { itemNotFound } from '@bidmesh/bid/errors.ts'
import { itemColumns, type ItemRow, itemFromRow } from '@bidmesh/bid/item-row.ts'
import { bidColumns, type BidRow, bidFromRow } from '@bidmesh/bid/queries.ts'
import type { Bid, Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  type GetPriceHistoryResponse,
  GetPriceHistoryResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { ListFilter } from '../lists/lists.ts'

export async function readItems(sql: Sql, ids: readonly string[]): Promise<Item[]> {
  const rows = await sql<ItemRow[]>`
    SELECT ${sql([...itemColumns])} FROM items WHERE id = ANY (${ids}::uuid[])`
  return rows.map(itemFromRow)
}

export type Versions = { now: Date; versions: { id: string; version: bigint }[] }

/** Versions of these items, and the database's clock. */
export async function readVersions(sql: Sql, ids: readonly string[]): Promise<Versions> {
  const [[clock], versions] = await Promise.all([
    sql<{ now: Date }[]>`SELECT clock_timestamp() AS now`,
    sql<{ id: string; version: bigint }[]>`
      SELECT id, version FROM items WHERE id = ANY (${ids}::uuid[])`,
  ])
  return { now: clock?.now ?? new Date(), versions }
}

/** Open items that match, those that end soonest first. */
export async function findItems(sql: Sql, filter: ListFilter, limit: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM items
    WHERE status IN ('active', 'scheduled')
      ${filter.category ? sql`AND category = ${filter.category}` : sql``}
      ${filter.sellerId ? sql`AND seller_id = ${filter.sellerId}` : sql``}
    ORDER BY end_at, id
    LIMIT ${limit}`
  return rows.map(({ id }) => id)
}

export async function itemExists(sql: Sql, itemId: string): Promise<boolean> {
  const rows = await sql`SELECT 1 FROM items WHERE id = ${itemId}`
  return rows.length > 0
}

const TOP_BIDDERS = 3

/**
 * The highest bid of each of the three leading bidders. Amounts rise with the sequence, so it walks back
 * from the last bid, each step to the next bid of somebody new. Throws NOT_FOUND.
 */
export async function listTopBids(sql: Sql, itemId: string): Promise<Bid[]> {
  const columns = sql([...bidColumns])
  const rows = await sql<BidRow[]>`
    WITH RECURSIVE top AS (
      (SELECT ${columns}, ARRAY[user_id] AS seen FROM bids
       WHERE item_id = ${itemId} ORDER BY sequence DESC LIMIT 1)
      UNION ALL
      SELECT next.*, top.seen || next.user_id FROM top CROSS JOIN LATERAL (
        SELECT ${columns} FROM bids b
        WHERE b.item_id = ${itemId} AND b.sequence < top.sequence AND b.user_id <> ALL (top.seen)
        ORDER BY b.sequence DESC LIMIT 1
      ) next
      WHERE cardinality(top.seen) < ${TOP_BIDDERS}
    )
    SELECT ${columns} FROM top ORDER BY sequence DESC`
  if (rows.length === 0 && !(await itemExists(sql, itemId))) throw itemNotFound()
  return rows.map(bidFromRow)
}

/**
 * At most `maxPoints` bids, evenly chosen by sequence, the first and the last among them. Sequences have no
 * gaps, so each point is one look into an index however many bids there are. Throws NOT_FOUND.
 */
export async function getPriceHistory(
  sql: Sql,
  itemId: string,
  maxPoints: number,
): Promise<GetPriceHistoryResponse> {
  const [item] = await sql<Pick<ItemRow, 'start_price' | 'start_at' | 'currency' | 'sequence'>[]>`
    SELECT start_price, start_at, currency, sequence FROM items WHERE id = ${itemId}`
  if (!item) throw itemNotFound()
  const count = Number(item.sequence)
  const chosen = evenly(count, maxPoints)
  const rows = await sql<Pick<BidRow, 'created_at' | 'amount' | 'sequence'>[]>`
    SELECT created_at, amount, sequence FROM bids
    WHERE item_id = ${itemId} AND sequence = ANY (${chosen}::bigint[])
    ORDER BY sequence`
  return create(GetPriceHistoryResponseSchema, {
    points: rows.map((row) => ({
      time: timestampFromDate(row.created_at),
      amount: row.amount,
      sequence: row.sequence,
    })),
    startPrice: item.start_price,
    startAt: timestampFromDate(item.start_at),
    currency: item.currency,
  })
}

/** At most `most` of the numbers 1 to `count`, evenly apart, with both ends; all when they fit. */
export function evenly(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, index) => index + 1)
  const step = (count - 1) / (most - 1)
  return Array.from({ length: most }, (_, index) => Math.round(1 + index * step))
}
