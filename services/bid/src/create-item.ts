/**
 * Puts an item up for auction: one row and one `item.created`, in one transaction, and the idempotency key
 * with them. A repeat finds the key and answers with the item as it is now.
 */
import { createHash, randomUUIDv7 } from 'node:crypto'
import { constraintOf, errorCode } from '@bidmesh/platform/errors.ts'
import type { Pipeline, Session } from '@bidmesh/platform/session.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { refuseTimes, type SoftClose } from './auction.ts'
import { itemKeyReused } from './errors.ts'
import { insertOutbox, itemCreated } from './events.ts'
import { headFromRow, itemColumns, type ItemRow } from './item-row.ts'

export type NewItem = {
  title: string
  description: string
  images: readonly string[]
  category: string
  sellerId: string
  /** ISO 4217. */
  currency: string
  /** Minor units. */
  startPrice: bigint
  /** Minor units; 0: by price band. */
  minIncrement: bigint
  /** Undefined: now. */
  startAtMs: number | undefined
  endAtMs: number
  softClose: SoftClose
  /** Unique per seller; empty: none. */
  idempotencyKey: string
  /** Trace context for the event. */
  trace: Readonly<Record<string, string>>
}

/**
 * Returns the row made, or the one that the idempotency key has made before. Throws INVALID_ARGUMENT when
 * the times do not make an auction, ALREADY_EXISTS when the key belongs to another request.
 */
export async function createItem(session: Session, item: NewItem): Promise<ItemRow> {
  const create = () => session.transaction((pipeline) => findOrInsert(pipeline, item))
  try {
    return await create()
  } catch (error) {
    // The same request was under way elsewhere: now its key is found.
    if (errorCode(error) === '23505' && constraintOf(error) === 'item_keys_pkey') {
      return await create()
    }
    throw error
  }
}

async function findOrInsert(pipeline: Pipeline, item: NewItem): Promise<ItemRow> {
  const { sellerId, idempotencyKey } = item
  const [, [clock], [made]] = await pipeline<[unknown, { now: Date }[], MadeRow[]]>((sql) => [
    sql`BEGIN`,
    // The clock that decides, in whole milliseconds.
    sql<{ now: Date }[]>`SELECT clock_timestamp() AS now`,
    idempotencyKey === ''
      ? Promise.resolve([])
      : sql<MadeRow[]>`
          SELECT ${sql([...itemColumns])}, digest
          FROM item_keys JOIN items USING (seller_id)
          WHERE seller_id = ${sellerId} AND idempotency_key = ${idempotencyKey} AND id = item_id`,
  ])
  if (!clock) throw new Error('the database did not tell the time')
  if (made) {
    if (!digestOf(item).equals(made.digest)) throw itemKeyReused()
    await pipeline<[unknown]>((sql) => [sql`COMMIT`])
    return made
  }
  return await insert(pipeline, item, clock.now.getTime())
}

type MadeRow = ItemRow & { digest: Buffer }

async function insert(pipeline: Pipeline, item: NewItem, nowMs: number): Promise<ItemRow> {
  const startAtMs = item.startAtMs ?? nowMs
  const fault = refuseTimes(startAtMs, item.endAtMs, nowMs)
  if (fault) throw new ConnectError(fault, Code.InvalidArgument)
  const row = newRow(item, startAtMs, nowMs)
  const event = itemCreated(headFromRow(row), row, item.trace, nowMs)
  const key = {
    seller_id: item.sellerId,
    idempotency_key: item.idempotencyKey,
    item_id: row.id,
    digest: digestOf(item),
  }
  await pipeline<[unknown, unknown, unknown, unknown]>((sql) => [
    item.idempotencyKey === '' ? Promise.resolve() : sql`INSERT INTO item_keys ${sql(key)}`,
    sql`INSERT INTO items ${sql({
      ...row,
      start_at: row.start_at.toISOString(),
      end_at: row.end_at.toISOString(),
      original_end_at: row.original_end_at.toISOString(),
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
    })}`,
    insertOutbox(sql, [event]),
    sql`COMMIT`,
  ])
  return row
}

/** Of all that the request says, so that two requests under one key can be told apart. */
function digestOf({ idempotencyKey: _key, trace: _trace, ...contents }: NewItem): Buffer {
  const text = JSON.stringify(contents, (_name, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return createHash('sha256').update(text).digest()
}

function newRow(item: NewItem, startAtMs: number, nowMs: number): ItemRow {
  const now = new Date(nowMs)
  const endAt = new Date(item.endAtMs)
  return {
    id: randomUUIDv7(),
    title: item.title,
    description: item.description,
    images: [...item.images],
    category: item.category,
    seller_id: item.sellerId,
    currency: item.currency,
    start_price: item.startPrice,
    min_increment: item.minIncrement,
    soft_close_window_ms: item.softClose.windowMs,
    soft_close_extension_ms: item.softClose.extensionMs,
    soft_close_max_extensions: item.softClose.maxExtensions,
    status: startAtMs <= nowMs ? 'active' : 'scheduled',
    start_at: new Date(startAtMs),
    end_at: endAt,
    original_end_at: endAt,
    created_at: now,
    updated_at: now,
    extension_count: 0,
    current_highest_bid: 0n,
    highest_bidder_id: '',
    sequence: 0n,
    outcome: null,
    version: 1n,
    cancel_reason: '',
  }
}
