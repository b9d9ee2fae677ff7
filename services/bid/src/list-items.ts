/**
 * Lists of items, by keyset. Bids go on while somebody pages, and prices and ends move with them; what must
 * stay true is that an item that matches all the while is shown at least once.
 *
 * Both only ever rise. In rising order (ENDING_SOON, PRICE_ASC) an item can thus only move on to pages not yet
 * asked for: it may come twice. In falling order (PRICE_DESC) it could jump back over the position, unseen. So
 * from the second page on, what stands above the position counts with the price that the first page saw.
 */
import {
  type Item,
  type ListItemsRequest,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { itemColumns, itemFromRow, type ItemRow, summaryColumns } from './item-row.ts'
import {
  decodePageToken,
  DEFAULT_PAGE_SIZE,
  isCount,
  isTime,
  isUuid,
  type Page,
  pageOf,
  type PageRequest,
  type Position,
  type PositionKind,
} from '@bidmesh/platform/rpc/page-token.ts'

/**
 * Of a page, as text: when so many are reached, it ends early. Clients of gRPC take 4 MiB unless told
 * otherwise, a hundred summaries of usual items are 60 kB, and the largest item there may be is 80 kB.
 */
const PAGE_BYTES_MAX = 1024 * 1024
/** Bids looked back through for a held price; beyond, the item counts as one that nobody has bid on. */
const LOOKED_BACK_MAX = 1_000

export type ItemFilter = {
  category: string
  /** Undefined: any. */
  status: ItemRow['status'] | undefined
  sellerId: string
  /** Words, each of which must begin a word of title or description; blank: any. */
  query: string
  orderBy: ListItemsRequest['orderBy']
  /** ISO 4217; empty: any. */
  currency: string
  /** Minor units, both inclusive; 0: without limit. */
  minPrice: bigint
  maxPrice: bigint
}

/** Everything, newest first. */
export const noFilter: ItemFilter = {
  category: '',
  status: undefined,
  sellerId: '',
  query: '',
  orderBy: OrderBy.NEWEST,
  currency: '',
  minPrice: 0n,
  maxPrice: 0n,
}

/** Without `description`, unless `full` asks for it. */
export async function listItems(
  sql: Sql,
  filter: ItemFilter,
  request: PageRequest & { full: boolean },
): Promise<Page<Item>> {
  const list = ['items', ...Object.values(filter).map(String)]
  const order: ItemOrder =
    (itemOrders as Record<number, ItemOrder>)[filter.orderBy] ?? itemOrders[OrderBy.NEWEST]
  const after = decodePageToken(request.pageToken, list, order.kinds)
  const size = request.pageSize || DEFAULT_PAGE_SIZE
  const columns: Fragment = request.full
    ? sql`${sql([...itemColumns])}`
    : sql`${sql(summaryColumns)}, '' AS description`
  const asked: Asked = { sql, filter, after, columns, limit: size + 1 }
  // What has a word is mostly few: found first, it is ordered at once.
  const isOfWords = filter.query.trim() !== ''
  const page = order.along && !isOfWords ? order.along(asked) : findThenOrder(asked, order)
  const rows = await sql<ListedRow[]>`
    SELECT * FROM (
      SELECT page.*, count(*) OVER () AS found,
        sum(octet_length(page::text)) OVER (ORDER BY ${order.by(sql)}) - octet_length(page::text)
          AS bytes_before
      FROM (${page}) AS page
    ) AS measured
    WHERE bytes_before < ${PAGE_BYTES_MAX}
    ORDER BY ${order.by(sql)}`
  const found = Number(rows[0]?.found ?? 0)
  return pageOf(rows, size, list, order.position, itemFromRow, found)
}

type Asked = {
  sql: Sql
  filter: ItemFilter
  after: Position | undefined
  columns: Fragment
  limit: number
}

function findThenOrder({ sql, filter, after, columns, limit }: Asked, order: ItemOrder): Fragment {
  const query = filter.query.trim()
  return sql`
    SELECT items.* FROM (
      SELECT ${columns} ${order.keys ? order.keys(sql, after) : sql``} FROM items
      WHERE ${matches(sql, filter)} ${query ? sql`AND id IN (${foundBy(sql, query)})` : sql``}
      ${query ? fence(sql) : sql``}
    ) AS items
    WHERE true ${after ? order.after(sql, after) : sql``}
    ORDER BY ${order.by(sql)}
    LIMIT ${limit}`
}

/** All that a filter says but its words. */
function matches(sql: Sql, filter: ItemFilter): Fragment {
  const { category, status, sellerId, currency, minPrice, maxPrice } = filter
  return sql`true
    ${category ? sql`AND category = ${category}` : sql``}
    ${status ? sql`AND status = ${status}` : sql``}
    ${sellerId ? sql`AND seller_id = ${sellerId}` : sql``}
    ${currency ? sql`AND currency = ${currency}` : sql``}
    ${minPrice > 0n ? sql`AND ${shownPrice(sql)} >= ${String(minPrice)}::bigint` : sql``}
    ${maxPrice > 0n ? sql`AND ${shownPrice(sql)} <= ${String(maxPrice)}::bigint` : sql``}`
}

const foundBy = (sql: Sql, query: string) =>
  sql`SELECT item_id FROM item_texts WHERE words @@ words_query(${query})`

/**
 * Lets the planner find first and order then. Left to itself it may go through all items in the order asked
 * for, cutting the words of each, until enough have those of the query, or never; and it would work out a
 * price once to filter and once more to sort.
 */
const fence = (sql: Sql) => sql`OFFSET 0`

type ListedRow = ItemRow & {
  found: bigint
  /** Of the orders by price: minor units, what the order goes by. */
  price: bigint
  /** Of the order by falling price: the transaction before which prices are held. */
  held: bigint
}

type Fragment = ReturnType<Sql>

type ItemOrder = {
  /** More columns to order by. */
  keys?: (sql: Sql, after: Position | undefined) => Fragment
  /** The page along an index, when it is not one of words. */
  along?: (asked: Asked) => Fragment
  by: (sql: Sql) => Fragment
  after: (sql: Sql, position: Position) => Fragment
  position: (row: ListedRow) => Position
  kinds: readonly PositionKind[]
}

/** The price shown: the start price until somebody bids. */
const shownPrice = (sql: Sql): Fragment => sql`greatest(current_highest_bid, start_price)`

/**
 * The price that transactions before `held` have made: those had ended when the first page was asked for, so it
 * is never more than that page saw. (A time would not do: a bid is seen later than it was decided.) Ids of
 * transactions are compared as Postgres does, modulo 2^32; what is too long ago to tell counts as later.
 */
const heldPrice = (sql: Sql, held: string): Fragment => sql`
  CASE WHEN ${isBefore(sql, 'items', held)} THEN ${shownPrice(sql)} ELSE coalesce((
    SELECT amount FROM (
      SELECT amount, xmin FROM bids WHERE item_id = items.id
        AND created_at BETWEEN items.created_at AND items.end_at
      ORDER BY sequence DESC LIMIT ${LOOKED_BACK_MAX}
    ) AS latest WHERE ${isBefore(sql, 'latest', held)} LIMIT 1
  ), start_price) END`

const isBefore = (sql: Sql, row: 'items' | 'latest', held: string): Fragment =>
  sql`(${sql(row)}.xmin::text::bigint - ${held}::bigint) & 4294967295 >= 2147483648`

/** What a page holds for those after it; theirs, once there are. */
const heldColumn = (sql: Sql, after: Position | undefined): Fragment =>
  after
    ? sql`, ${after[0] ?? ''}::bigint AS held`
    : sql`, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS held`

/**
 * What is indexed of prices. Both are in the order of prices, so items go along the index and are sorted within what is
 * the same there: open ones by levels, which few bids change, and those that are over by their price, which none does.
 */
type PriceIndex = { column: string; of: (sql: Sql, price: string) => Fragment }
const ofOpen: PriceIndex = {
  column: 'price_level',
  of: (sql, price) => sql`price_level(${price}::bigint)`,
}
const ofOver: PriceIndex = { column: 'final_price', of: (sql, price) => sql`${price}::bigint` }

function indexesFor({ status }: ItemFilter): readonly PriceIndex[] {
  if (status === undefined) return [ofOpen, ofOver]
  return status === 'active' || status === 'scheduled' ? [ofOpen] : [ofOver]
}

/** Found along an index, and all that matches. */
function pricedIn({ sql, filter }: Asked, { column, of }: PriceIndex): Fragment {
  const { minPrice, maxPrice } = filter
  return sql`${sql(column)} IS NOT NULL AND ${matches(sql, filter)}
    ${minPrice > 0n ? sql`AND ${sql(column)} >= ${of(sql, String(minPrice))}` : sql``}
    ${maxPrice > 0n ? sql`AND ${sql(column)} <= ${of(sql, String(maxPrice))}` : sql``}`
}

function alongRisingPrices(asked: Asked): Fragment {
  const { sql, filter, after, columns, limit } = asked
  const [price = '', id = ''] = after ?? []
  const [first, second] = indexesFor(filter).map((index) => {
    const key = sql(index.column)
    return sql`(
      SELECT ${columns}, ${shownPrice(sql)} AS price FROM items WHERE ${pricedIn(asked, index)}
        ${after ? sql`AND (${shownPrice(sql)}, id) > (${price}::bigint, ${id}::uuid)` : sql``}
        ${after ? sql`AND ${key} >= ${index.of(sql, price)}` : sql``}
      ORDER BY ${key}, price, id
      LIMIT ${limit})`
  })
  return sql`
    SELECT * FROM (${first ?? sql``} ${second ? sql`UNION ALL ${second}` : sql``}) AS either
    ORDER BY price, id
    LIMIT ${limit}`
}

/**
 * What may have jumped over the position stands above it now and has changed since the first page: among all that stands
 * there, it is found by that. So each page looks through what those before it have shown.
 */
function alongFallingPrices(asked: Asked): Fragment {
  const { sql, filter, after, columns, limit } = asked
  const [held = '', price = '', id = ''] = after ?? []
  const [first, second] = indexesFor(filter).map((index) => {
    const key = sql(index.column)
    const below = sql`(
      SELECT ${columns}, ${shownPrice(sql)} AS price FROM items WHERE ${pricedIn(asked, index)}
        ${after ? sql`AND (${shownPrice(sql)}, id) < (${price}::bigint, ${id}::uuid)` : sql``}
        ${after ? sql`AND ${key} <= ${index.of(sql, price)}` : sql``}
      ORDER BY ${key} DESC, price DESC, id DESC
      LIMIT ${limit})`
    if (!after) return below
    return sql`${below} UNION ALL (
      SELECT ${columns}, ${heldPrice(sql, held)} AS price FROM items WHERE ${pricedIn(asked, index)}
        AND ${key} >= ${index.of(sql, price)} AND NOT ${isBefore(sql, 'items', held)}
        AND (${shownPrice(sql)}, id) >= (${price}::bigint, ${id}::uuid)
      ${fence(sql)})`
  })
  return sql`
    SELECT * ${heldColumn(sql, after)}
    FROM (${first ?? sql``} ${second ? sql`UNION ALL ${second}` : sql``}) AS either
    WHERE true ${after ? sql`AND (price, id) < (${price}::bigint, ${id}::uuid)` : sql``}
    ORDER BY price DESC, id DESC
    LIMIT ${limit}`
}

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
    keys: (sql) => sql`, ${shownPrice(sql)} AS price`,
    along: alongRisingPrices,
    by: (sql) => sql`price, id`,
    after: (sql, [price = '', id = '']) => sql`AND (price, id) > (${price}::bigint, ${id}::uuid)`,
    position: (row) => [String(row.price), row.id],
    kinds: [isCount, isUuid],
  },
  [OrderBy.PRICE_DESC]: {
    keys: (sql, after) => sql`
      , ${after ? heldPrice(sql, after[0] ?? '') : shownPrice(sql)} AS price
      ${heldColumn(sql, after)}`,
    along: alongFallingPrices,
    by: (sql) => sql`price DESC, id DESC`,
    after: (sql, [, price = '', id = '']) => sql`AND (price, id) < (${price}::bigint, ${id}::uuid)`,
    position: (row) => [String(row.held), String(row.price), row.id],
    kinds: [isCount, isCount, isUuid],
  },
} satisfies Record<number, ItemOrder>
