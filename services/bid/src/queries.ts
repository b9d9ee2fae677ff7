/**
 * Queries of the write side but for lists of items: SQL straight into response values, nothing decided. Every
 * list is keyset paginated: a page costs the same wherever it is, and rows added meanwhile shift nothing.
 */
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { type Bid, BidSchema, type Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres.ts'
import { itemNotFound } from './errors.ts'
import { itemColumns, itemFromRow, type ItemRow } from './item-row.ts'
import {
  decodePageToken,
  DEFAULT_PAGE_SIZE,
  isCount,
  isUuid,
  type Page,
  pageOf,
  type PageRequest,
} from './page-token.ts'

/** Throws NOT_FOUND. */
export async function getItem(sql: Sql, id: string): Promise<Item> {
  const [row] = await sql<ItemRow[]>`
    SELECT ${sql([...itemColumns])} FROM items WHERE id = ${id}`
  if (!row) throw itemNotFound()
  return itemFromRow(row)
}

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
        ${withinLifeOf(sql, itemId)}
      ORDER BY sequence DESC
      LIMIT ${size + 1}`,
    sql`SELECT 1 FROM items WHERE id = ${itemId}`,
  ])
  if (!item) throw itemNotFound()
  return pageOf(rows, size, list, (row) => [String(row.sequence)], bidFromRow)
}

/** Only the months of the item's life are looked through. */
function withinLifeOf(sql: Sql, itemId: string) {
  return sql`
    AND created_at >= (SELECT created_at FROM items WHERE id = ${itemId})
    AND created_at <= (SELECT end_at FROM items WHERE id = ${itemId})`
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
