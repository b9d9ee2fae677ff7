/** What other services ask of the stored items and bids: SQL straight into response values. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Bid, Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type {
  FindOpenItemsRequest,
  SampleBidsResponseSchema,
} from '@bidmesh/gen/bids/v1/item_source_service_pb.ts'
import { STANDBY } from '@bidmesh/platform/postgres/check-database.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { ReadOnlyServerError } from '@bidmesh/platform/process/errors.ts'
import { itemNotFound } from './errors.ts'
import { itemColumns, itemFromRow, type ItemRow } from './item-row.ts'
import { bidColumns, bidFromRow, type BidRow } from './queries.ts'

export async function readItems(sql: Sql, ids: readonly string[]): Promise<Item[]> {
  const rows = await sql<ItemRow[]>`
    SELECT ${sql([...itemColumns])} FROM items WHERE id = ANY (${[...ids]}::uuid[])`
  return rows.map(itemFromRow)
}

export type Versions = { now: Date; versions: ReadonlyMap<string, bigint> }

/**
 * Versions of those that exist, and the database's clock. Rejects when the server is a standby: what it shows may be
 * older than what was acknowledged.
 */
export async function readVersions(sql: Sql, ids: readonly string[]): Promise<Versions> {
  const [[clock], rows] = await Promise.all([
    sql<[{ now: Date; standby: boolean }]>`
      SELECT clock_timestamp() AS now, pg_is_in_recovery() AS standby`,
    ids.length > 0
      ? sql<{ id: string; version: bigint }[]>`
          SELECT id, version FROM items WHERE id = ANY (${[...ids]}::uuid[])`
      : [],
  ])
  if (clock.standby) throw new ReadOnlyServerError(STANDBY)
  return { now: clock.now, versions: new Map(rows.map(({ id, version }) => [id, version])) }
}

/** Open items that match, those that end soonest first. */
export async function findOpenItems(sql: Sql, request: FindOpenItemsRequest): Promise<string[]> {
  const { category, sellerId, limit } = request
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM items
    WHERE status IN ('active', 'scheduled')
      ${category ? sql`AND category = ${category}` : sql``}
      ${sellerId ? sql`AND seller_id = ${sellerId}` : sql``}
    ORDER BY end_at, id
    LIMIT ${limit}`
  return rows.map(({ id }) => id)
}

/**
 * The highest bid of each of the leading bidders. Amounts rise with the sequence, so it walks back
 * from the last bid, each step to the next bid of somebody new. Throws NOT_FOUND.
 */
export async function listTopBids(sql: Sql, itemId: string, maxBidders: number): Promise<Bid[]> {
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
      WHERE cardinality(top.seen) < ${maxBidders}
    )
    SELECT ${columns} FROM top ORDER BY sequence DESC`
  if (rows.length === 0 && (await readVersions(sql, [itemId])).versions.size === 0)
    throw itemNotFound()
  return rows.map(bidFromRow)
}

/**
 * At most `maxBids`, evenly chosen by sequence, the first and the last among them. Sequences have no gaps, so each
 * is one look into an index however many bids there are. Throws NOT_FOUND.
 */
export async function sampleBids(
  sql: Sql,
  itemId: string,
  maxBids: number,
): Promise<MessageInitShape<typeof SampleBidsResponseSchema>> {
  const [item] = await sql<Pick<ItemRow, 'start_price' | 'start_at' | 'currency' | 'sequence'>[]>`
    SELECT start_price, start_at, currency, sequence FROM items WHERE id = ${itemId}`
  if (!item) throw itemNotFound()
  const chosen = evenly(Number(item.sequence), maxBids)
  const rows = await sql<BidRow[]>`
    SELECT ${sql([...bidColumns])} FROM bids
    WHERE item_id = ${itemId} AND sequence = ANY (${chosen}::bigint[])
    ORDER BY sequence`
  return {
    bids: rows.map(bidFromRow),
    startPrice: item.start_price,
    startAt: timestampFromDate(item.start_at),
    currency: item.currency,
  }
}

/** At most `most` of the numbers 1 to `count`, evenly apart, with both ends; all when they fit. */
export function evenly(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, index) => index + 1)
  const step = (count - 1) / (most - 1)
  return Array.from({ length: most }, (_, index) => Math.round(1 + index * step))
}
