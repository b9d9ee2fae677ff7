/**
 * Whether the history of items is what was written: the chain of hashes holds from each event to the next and ends in
 * the item's row. Reads items and their events in one snapshot, so bids may go on meanwhile, and few items in each, so that
 * it holds up no vacuum.
 *
 * A version without an event is no fault by itself: code from before the history leaves such gaps (in an older store
 * before the first event, in a rollout between two), and the chain passes over them. An event that was taken out breaks
 * the chain instead, because the next one was linked to it.
 */
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
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
  /** Told after each read what has been read so far. */
  onProgress?: (read: { items: number; events: number }) => void
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
/** Items of a snapshot: a second's work where they have 1,000 events each. */
const ITEMS_PER_SNAPSHOT = 200

/** Not an id of anything. */
const [BEFORE_ALL, AFTER_ALL] = [
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
]

/** Yields what is found, item by item. */
export async function* verifyHistory(
  sql: Sql,
  options: VerifyOptions = {},
): AsyncGenerator<HistoryFinding> {
  const { itemId } = options
  const read = { items: 0, events: 0 }
  const skipped = itemId === undefined ? ITEMS_PER_SNAPSHOT : 0
  let from = itemId ?? BEFORE_ALL
  do {
    const [next] = await sql<{ id: string }[]>`
      SELECT id FROM items WHERE id > ${from} ORDER BY id OFFSET ${skipped} LIMIT 1`
    const beyond = next?.id ?? AFTER_ALL
    yield* verifyItems(sql, { from, beyond }, options, read)
    from = beyond
  } while (itemId === undefined && from !== AFTER_ALL)
}

async function* verifyItems(
  sql: Sql,
  { from, beyond }: { from: string; beyond: string },
  { keptSince, onProgress }: VerifyOptions,
  read: { items: number; events: number },
): AsyncGenerator<HistoryFinding> {
  const all = sql<Row[]>`
    SELECT coalesce(i.id, e.item_id) AS item_id, i.version AS item_version, i.history_hash AS item_hash, i.created_at,
      e.version, e.recorded_at, e.id, e.type, e.payload, e.hash
    FROM (
      SELECT id, version, history_hash, created_at FROM items WHERE id >= ${from} AND id < ${beyond}
    ) AS i
    FULL JOIN (SELECT * FROM item_events WHERE item_id >= ${from} AND item_id < ${beyond}) AS e ON e.item_id = i.id
    ORDER BY 1, e.version`
  let chain: Chain | undefined
  for await (const rows of all.cursor(ROWS_PER_READ)) {
    for (const row of rows) {
      if (chain?.itemId !== row.item_id) {
        if (chain) yield* endOf(chain)
        chain = beginningOf(row, keptSince)
        read.items += 1
      }
      if (row.version === null) continue
      yield* follow(chain, { ...row, version: row.version })
      read.events += 1
    }
    onProgress?.(read)
  }
  if (chain) yield* endOf(chain)
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
