/**
 * Whether the history of items is what was written: the chain of hashes holds from each event to the next and ends in
 * the item's row. Reads one snapshot, so bids may go on meanwhile.
 *
 * A version without an event is no fault by itself: code from before the history leaves such gaps (in an older store
 * before the first event, in a rollout between two), and the chain passes over them. An event that was taken out breaks
 * the chain instead, because the next one was linked to it.
 */
import type { Sql } from '@bidmesh/platform/postgres.ts'
import { linkHash, NO_HASH } from './event-chain.ts'

export type HistoryFinding = {
  /** `broken`: not what was written. `gap`: versions that were made without history. */
  kind: 'broken' | 'gap'
  itemId: string
  message: string
}

export type VerifyOptions = {
  /** Only this item; all when left out. */
  itemId?: string | undefined
  /** What was recorded before this was dropped by the operator: the chains of items made before may begin anywhere. */
  keptSince?: Date | undefined
  /** Told after each read. */
  onProgress?: (events: number) => void
}

type Row = {
  item_id: string
  item_version: bigint | null
  item_hash: Uint8Array | null
  created_at: Date | null
  /** Null: an item without any event. */
  version: bigint | null
  recorded_at: Date
  id: string
  type: string
  payload: Uint8Array
  hash: Uint8Array
}

/** Rows read at once: a few hundred bytes each. */
const ROWS_PER_READ = 5_000

/** Yields what is found, item by item. */
export async function* verifyHistory(
  sql: Sql,
  options: VerifyOptions = {},
): AsyncGenerator<HistoryFinding> {
  let chain: Chain | undefined
  let events = 0
  for await (const rows of readHistory(sql, options.itemId).cursor(ROWS_PER_READ)) {
    for (const row of rows) {
      if (chain?.itemId !== row.item_id) {
        if (chain) yield* endOf(chain)
        chain = beginningOf(row, options.keptSince)
      }
      if (row.version === null) continue
      yield* follow(chain, { ...row, version: row.version })
      events += 1
    }
    options.onProgress?.(events)
  }
  if (chain) yield* endOf(chain)
}

function readHistory(sql: Sql, itemId: string | undefined) {
  const [ofItem, ofEvent] = itemId
    ? [sql`WHERE id = ${itemId}`, sql`WHERE item_id = ${itemId}`]
    : [sql``, sql``]
  return sql<Row[]>`
    SELECT coalesce(i.id, e.item_id) AS item_id, i.version AS item_version, i.history_hash AS item_hash, i.created_at,
      e.version, e.recorded_at, e.id, e.type, e.payload, e.hash
    FROM (SELECT id, version, history_hash, created_at FROM items ${ofItem}) AS i
    FULL JOIN (SELECT * FROM item_events ${ofEvent}) AS e ON e.item_id = i.id
    ORDER BY coalesce(i.id, e.item_id), e.version`
}

type Chain = {
  itemId: string
  /** Null: there is no such item. */
  item: { version: bigint; hash: Uint8Array } | null
  /** Of the last event seen; 0 before the first. */
  version: bigint
  hash: Uint8Array
  /** Events before the first may have been dropped with their partition. */
  mayBeCut: boolean
}

function beginningOf(row: Row, keptSince: Date | undefined): Chain {
  const { item_version: version, item_hash: hash, created_at: createdAt } = row
  return {
    itemId: row.item_id,
    item: version === null || hash === null ? null : { version, hash },
    version: 0n,
    hash: NO_HASH,
    mayBeCut: keptSince !== undefined && createdAt !== null && createdAt < keptSince,
  }
}

function* follow(chain: Chain, row: Row & { version: bigint }): Generator<HistoryFinding> {
  const { itemId, version: before } = chain
  const event = { ...row, itemId, recordedAtMs: row.recorded_at.getTime() }
  const holds = linkHash(chain.hash, event).compare(row.hash) === 0
  const isCut = chain.mayBeCut && before === 0n
  if (!holds && !isCut) {
    const since = before === 0n ? 'it is not the first' : `it does not follow version ${before}`
    const message = `version ${row.version} (${row.type}) is not what was recorded, or ${since}`
    yield { kind: 'broken', itemId, message }
  }
  if (row.version !== before + 1n && !isCut) yield gap(itemId, before + 1n, row.version - 1n)
  // From here on as if it were right, so that one fault is told once.
  chain.version = row.version
  chain.hash = row.hash
}

function* endOf({ itemId, item, version, hash, mayBeCut }: Chain): Generator<HistoryFinding> {
  if (!item) {
    yield { kind: 'broken', itemId, message: 'there are events and no such item' }
  } else if (Buffer.compare(item.hash, hash) !== 0) {
    // An item that rests since before that date has lost all of its events.
    if (mayBeCut && version === 0n) return
    const last = version === 0n ? 'the history is empty' : `the history ends with ${version}`
    const message = `events up to version ${item.version} were recorded, ${last}`
    yield { kind: 'broken', itemId, message }
  } else if (item.version !== version) {
    yield gap(itemId, version + 1n, item.version)
  }
}

function gap(itemId: string, from: bigint, to: bigint): HistoryFinding {
  const versions = from === to ? `version ${from} was` : `versions ${from} to ${to} were`
  return { kind: 'gap', itemId, message: `${versions} made without history` }
}
