/**
 * Queries of the write side: SQL straight into response values, nothing decided. Every list is keyset
 * paginated: a page costs the same wherever it is, and rows added meanwhile shift nothing.
 */
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import {
  type Bid,
  BidSchema,
  type Item,
  type ListItemsRequest,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres.ts'
import { itemNotFound } from './errors.ts'
import { itemColumns, itemFromRow, type ItemRow } from './item-row.ts'
import {
  decodePageToken,
  DEFAULT_PAGE_SIZE,
  isCount,
  isTime,
  isUuid,
  type Page,
  pageOf,
  type Position,
  type PositionKind,
} from './page-token.ts'

export type PageRequest = { pageSize: number; pageToken: string }

export type ItemFilter = {
  category: string
  /** Undefined: any. */
  status: ItemRow['status'] | undefined
  sellerId: string
  /** Words, each of which must begin a word of title or description; blank: any. */
  query: string
  orderBy: ListItemsRequest['orderBy']
}

/** Throws NOT_FOUND. */
export async function getItem(sql: Sql, id: string): Promise<Item> {
  const [row] = await sql<ItemRow[]>`
    SELECT ${sql([...itemColumns])} FROM items WHERE id = ${id}`
  if (!row) throw itemNotFound()
  return itemFromRow(row)
}

export async function listItems(
  sql: Sql,
  filter: ItemFilter,
  request: PageRequest,
): Promise<Page<Item>> {
  const list = ['items', filter]
  const order =
    (itemOrders as Record<number, ItemOrder>)[filter.orderBy] ?? itemOrders[OrderBy.NEWEST]
  const after = decodePageToken(request.pageToken, list, order.kinds)
  const size = request.pageSize || DEFAULT_PAGE_SIZE
  const rows = await sql<ItemRow[]>`
    SELECT ${sql([...itemColumns])} FROM (
      SELECT ${sql([...itemColumns])} FROM items
      WHERE true
        ${filter.category ? sql`AND category = ${filter.category}` : sql``}
        ${filter.status ? sql`AND status = ${filter.status}` : sql``}
        ${filter.sellerId ? sql`AND seller_id = ${filter.sellerId}` : sql``}
        ${filter.query.trim() ? matchesWords(sql, filter.query) : sql``}
    ) AS items
    WHERE true ${after ? order.after(sql, after) : sql``}
    ORDER BY ${order.by(sql)}
    LIMIT ${size + 1}`
  return pageOf(rows, size, list, order.position, itemFromRow)
}

/**
 * What a word is, the database knows: one cut for texts and queries (see the migration on search). OFFSET 0
 * keeps the planner from going through the items in the order asked for, cutting the words of each, until
 * enough are found: where none is, that is all of them.
 */
function matchesWords(sql: Sql, query: string) {
  return sql`AND item_words(title, description) @@ words_query(${query}) OFFSET 0`
}

type ItemOrder = {
  by: (sql: Sql) => ReturnType<Sql>
  after: (sql: Sql, position: Position) => ReturnType<Sql>
  position: (row: ItemRow) => Position
  kinds: readonly PositionKind[]
}

/** The price shown: the start price until somebody bids. Not indexed, so that bids stay in-place updates. */
const shownPrice = (sql: Sql) => sql`greatest(current_highest_bid, start_price)`
const priceOf = (row: ItemRow) =>
  String(row.current_highest_bid > row.start_price ? row.current_highest_bid : row.start_price)

const itemOrders = {
  [OrderBy.NEWEST]: {
    by: (sql) => sql`id DESC`,
    after: (sql, [id = '']) => sql`AND id < ${id}`,
    position: (row) => [row.id],
    kinds: [isUuid],
  },
  [OrderBy.ENDING_SOON]: {
    by: (sql) => sql`end_at, id`,
    after: (sql, [endAt = '', id = '']) =>
      sql`AND (end_at, id) > (${endAt}::timestamptz, ${id}::uuid)`,
    position: (row) => [row.end_at.toISOString(), row.id],
    kinds: [isTime, isUuid],
  },
  [OrderBy.PRICE_ASC]: {
    by: (sql) => sql`${shownPrice(sql)}, id`,
    after: (sql, [price = '', id = '']) =>
      sql`AND (${shownPrice(sql)}, id) > (${price}::bigint, ${id}::uuid)`,
    position: (row) => [priceOf(row), row.id],
    kinds: [isCount, isUuid],
  },
  [OrderBy.PRICE_DESC]: {
    by: (sql) => sql`${shownPrice(sql)} DESC, id DESC`,
    after: (sql, [price = '', id = '']) =>
      sql`AND (${shownPrice(sql)}, id) < (${price}::bigint, ${id}::uuid)`,
    position: (row) => [priceOf(row), row.id],
    kinds: [isCount, isUuid],
  },
} satisfies Record<number, ItemOrder>

/** Columns of {@link BidRow}; for `sql(bidColumns)`. */
export const bidColumns = ['id', 'item_id', 'user_id', 'amount', 'created_at', 'sequence'] as const

export type BidRow = {
  id: string
  item_id: string
  user_id: string
  amount: bigint
  created_at: Date
  sequence: bigint
}

/** Newest first. Throws NOT_FOUND when no item has the id. */
export async function getItemBids(
  sql: Sql,
  itemId: string,
  request: PageRequest,
): Promise<Page<Bid>> {
  const list = ['item-bids', itemId]
  const after = decodePageToken(request.pageToken, list, [isCount])
  const size = request.pageSize || DEFAULT_PAGE_SIZE
  const [rows, [item]] = await Promise.all([
    sql<BidRow[]>`
      SELECT ${sql([...bidColumns])} FROM bids
      WHERE item_id = ${itemId} ${after ? sql`AND sequence < ${after[0] ?? ''}` : sql``}
      ORDER BY sequence DESC
      LIMIT ${size + 1}`,
    sql`SELECT 1 FROM items WHERE id = ${itemId}`,
  ])
  if (!item) throw itemNotFound()
  return pageOf(rows, size, list, (row) => [String(row.sequence)], bidFromRow)
}

/** Newest first; empty for a user who never bid. */
export async function listUserBids(
  sql: Sql,
  userId: string,
  request: PageRequest,
): Promise<Page<Bid>> {
  const list = ['user-bids', userId]
  const after = decodePageToken(request.pageToken, list, [isUuid])
  const size = request.pageSize || DEFAULT_PAGE_SIZE
  const rows = await sql<BidRow[]>`
    SELECT ${sql([...bidColumns])} FROM bids
    WHERE user_id = ${userId} ${after ? sql`AND id < ${after[0] ?? ''}` : sql``}
    ORDER BY id DESC
    LIMIT ${size + 1}`
  return pageOf(rows, size, list, (row) => [row.id], bidFromRow)
}

export function bidFromRow(row: BidRow): Bid {
  return create(BidSchema, {
    id: row.id,
    itemId: row.item_id,
    userId: row.user_id,
    amount: row.amount,
    createdAt: timestampFromDate(row.created_at),
    sequence: row.sequence,
  })
}
