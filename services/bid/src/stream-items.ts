/**
 * All items and bids, for those who make anew what they have made of events. They are read from where they stand and not
 * from the history: that is younger than some stores, and its old months may have been dropped.
 *
 * A few at a time, each time a statement of its own: nothing is held up by a caller who is slow, or there are very many.
 */
import type { Bid, Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { OverloadedError } from '@bidmesh/platform/process/errors.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { itemFromRow, type ItemRow, summaryColumns } from './item-row.ts'
import { bidColumns, bidFromRow, type BidRow } from './queries.ts'

/** Rows of a read: about 2 ms of the event loop, in which no bid is decided. */
const ITEMS_PER_READ = 100
const BIDS_PER_READ = 1_000
/** Whoever needs this comes alone, and reads as fast as the database. */
const STREAMS_MAX = 4

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000'

export type Streamed = {
  items: Item[]
  bids: Bid[]
  completeUntilItemId: string
  approximateTotal?: bigint
}

/** Does a query when it is its turn. */
type Turn = <Rows>(query: () => Promise<Rows>) => Promise<Rows>

/** @returns the stream; it throws an OverloadedError while {@link STREAMS_MAX} others are being read */
export function createItemStreams(sql: Sql) {
  let open = 0
  return async function* stream(
    afterItemId: string,
    turn: Turn,
    signal: AbortSignal,
  ): AsyncGenerator<Streamed> {
    if (open >= STREAMS_MAX) throw new OverloadedError(`${STREAMS_MAX} streams are being read`)
    open += 1
    let isOpen = true
    const close = () => {
      if (isOpen) open -= 1
      isOpen = false
    }
    // A caller who has left takes no further message, so this may never go on.
    signal.addEventListener('abort', close, { once: true })
    try {
      yield* readAll(sql, afterItemId || BEFORE_ALL, turn)
    } finally {
      close()
    }
  }
}

async function* readAll(sql: Sql, afterItemId: string, turn: Turn): AsyncGenerator<Streamed> {
  let after = afterItemId
  let approximateTotal = await turn(() => estimateRows(sql))
  for (;;) {
    const items = await turn(() => readItems(sql, after))
    const last = items.at(-1)?.id
    if (last === undefined) return
    const known = after === BEFORE_ALL ? '' : after
    yield { items: items.map(itemFromRow), bids: [], completeUntilItemId: known, approximateTotal }
    approximateTotal = 0n
    for (let from = { item_id: after, sequence: MAX_SEQUENCE }; ;) {
      const bids = await turn(() => readBids(sql, from, last))
      const isDone = bids.length < BIDS_PER_READ
      yield {
        items: [],
        bids: bids.map(bidFromRow),
        completeUntilItemId: isDone ? last : known,
      }
      if (isDone) break
      from = bids.at(-1) ?? from
    }
    after = last
  }
}

/** By what the planner knows; 0 of tables that were never analysed. */
async function estimateRows(sql: Sql): Promise<bigint> {
  const [estimate] = await sql<[{ rows: bigint }]>`
    SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint AS rows FROM pg_class
    WHERE oid = 'items'::regclass
      OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bids'::regclass)`
  return estimate.rows
}

/** Behind all bids of an item. */
const MAX_SEQUENCE = 2n ** 63n - 1n

async function readItems(sql: Sql, after: string): Promise<ItemRow[]> {
  return await sql<ItemRow[]>`
    SELECT ${sql(summaryColumns)}, '' AS description FROM items
    WHERE id > ${after} ORDER BY id LIMIT ${ITEMS_PER_READ}`
}

async function readBids(
  sql: Sql,
  from: Pick<BidRow, 'item_id' | 'sequence'>,
  last: string,
): Promise<BidRow[]> {
  return await sql<BidRow[]>`
    SELECT ${sql([...bidColumns])} FROM bids
    WHERE (item_id, sequence) > (${from.item_id}::uuid, ${from.sequence}::bigint) AND item_id <= ${last}
    ORDER BY item_id, sequence LIMIT ${BIDS_PER_READ}`
}
