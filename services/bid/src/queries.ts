/**
 * Queries of the write side but for lists of items: SQL straight into response values, nothing decided. Every
 * list is keyset paginated: a page costs the same wherever it is, and rows added meanwhile shift nothing.
 */
import { create, createRegistry } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import {
  type Bid,
  BidSchema,
  type Item,
  type ItemEvent,
  ItemEventSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { file_events_v1_events } from '@bidmesh/gen/events/v1/events_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
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
} from '@bidmesh/platform/rpc/page-token.ts'

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

type EventRow = {
  version: bigint
  recorded_at: Date
  id: string
  type: string
  payload: Uint8Array
  hash: Uint8Array
}

/** Oldest first. Throws NOT_FOUND when no item has the id. */
export async function listItemEvents(
  sql: Sql,
  itemId: string,
  request: PageRequest,
): Promise<Page<ItemEvent>> {
  const list = ['item-events', itemId]
  const after = decodePageToken(request.pageToken, list, [isCount])
  const size = request.pageSize || DEFAULT_PAGE_SIZE
  const [rows, [item]] = await Promise.all([
    // Partitions from before the item need not be looked into; a day for clocks that were put back.
    sql<EventRow[]>`
      SELECT version, recorded_at, id, type, payload, hash FROM item_events
      WHERE item_id = ${itemId} AND version > ${after?.[0] ?? '0'}
        AND recorded_at > (SELECT created_at - interval '1 day' FROM items WHERE id = ${itemId})
      ORDER BY version
      LIMIT ${size + 1}`,
    sql`SELECT 1 FROM items WHERE id = ${itemId}`,
  ])
  if (!item) throw itemNotFound()
  return pageOf(rows, size, list, (row) => [String(row.version)], eventFromRow)
}

const eventMessages = createRegistry(file_events_v1_events)

function eventFromRow(row: EventRow): ItemEvent {
  const typeName = messageName(row.type)
  const event = { typeUrl: `type.googleapis.com/${typeName}`, value: row.payload }
  return create(ItemEventSchema, {
    version: row.version,
    eventId: row.id,
    recordedAt: timestampFromDate(row.recorded_at),
    hash: row.hash,
    ...(eventMessages.getMessage(typeName) && { event }),
  })
}

/** As `events.proto` has it: `bid.placed` is `events.v1.BidPlaced`. */
function messageName(type: string): string {
  const words = type.split('.').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `events.v1.${words.join('')}`
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
