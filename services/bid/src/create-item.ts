/**
 * Puts an item up for auction: one row and one `item.created`, in one transaction, and the idempotency key
 * with them. A repeat finds the key and answers with the item as it is now.
 */
import { createHash, randomUUIDv7 } from 'node:crypto'
import type { SoftClose, Terms } from '@bidmesh/auction/auction-state.ts'
import { decideCreation } from '@bidmesh/auction/decide.ts'
import type { Created } from '@bidmesh/auction/events.ts'
import { created } from '@bidmesh/auction/evolve.ts'
import { constraintOf, errorCode } from '@bidmesh/platform/process/errors.ts'
import type { Origin } from '@bidmesh/platform/identity/origin.ts'
import type { Committed, Session, Transaction } from '@bidmesh/platform/postgres/session.ts'
import { changeRejected } from './errors.ts'
import { NO_HASH } from './event-chain.ts'
import { encodeCreated } from '@bidmesh/events/encode-event.ts'
import { chained, insertEvents } from './append-events.ts'
import { itemColumns, type ItemRow, stateToRow } from './item-row.ts'

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
  /** Where the request came from. */
  origin: Origin
}

/**
 * Returns the row made, or the one that the idempotency key has made before. Throws INVALID_ARGUMENT when
 * the times do not make an auction, ALREADY_EXISTS when the key belongs to another request.
 */
export async function createItem(session: Session, item: NewItem): Promise<ItemRow> {
  const create = () => session.transaction((transaction) => findOrInsert(transaction, item))
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

async function findOrInsert(transaction: Transaction, item: NewItem): Promise<Committed<ItemRow>> {
  const { sellerId, idempotencyKey } = item
  const [[clock], [made]] = await transaction.query((sql) => [
    // The clock that decides, in whole milliseconds.
    sql<[{ now: Date }]>`SELECT clock_timestamp() AS now`,
    idempotencyKey === ''
      ? Promise.resolve([])
      : sql<MadeRow[]>`
          SELECT ${sql([...itemColumns])}, digest
          FROM item_keys JOIN items USING (seller_id)
          WHERE seller_id = ${sellerId} AND idempotency_key = ${idempotencyKey} AND id = item_id`,
  ])
  if (made) {
    if (!digestOf(item).equals(made.digest)) throw changeRejected('item_key_reused')
    return (await transaction.commit(() => [])).map(() => made)
  }
  return await insert(transaction, item, clock.now.getTime())
}

type MadeRow = ItemRow & { digest: Buffer }

async function insert(
  transaction: Transaction,
  item: NewItem,
  nowMs: number,
): Promise<Committed<ItemRow>> {
  const { title, category, trace } = item
  const { event, fault } = decideCreation(termsOf(item, nowMs), nowMs)
  if (!event) throw changeRejected('bad_terms', undefined, fault)
  const row = newRow(item, event)
  const message = encodeCreated(event, { bidId: '', title, category, trace })
  const actor = { userId: item.sellerId, origin: item.origin }
  const first = chained(message, NO_HASH, actor)
  const key = {
    seller_id: item.sellerId,
    idempotency_key: item.idempotencyKey,
    item_id: row.id,
    digest: digestOf(item),
  }
  const done = await transaction.commit((sql) => [
    item.idempotencyKey === '' ? Promise.resolve() : sql`INSERT INTO item_keys ${sql(key)}`,
    sql`INSERT INTO items ${sql({
      ...row,
      start_at: row.start_at.toISOString(),
      end_at: row.end_at.toISOString(),
      original_end_at: row.original_end_at.toISOString(),
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
      history_hash: first.hash,
    })}`,
    sql`WITH ${insertEvents(sql, [first])}`,
  ])
  return done.map(() => row)
}

/** Of all that the request says, so that two requests under one key can be told apart. */
function digestOf({
  idempotencyKey: _key,
  trace: _trace,
  origin: _origin,
  ...contents
}: NewItem): Buffer {
  const text = JSON.stringify(contents, (name, value: unknown) => {
    // What no request said before there were modes: a retry over that time is still the same request.
    if ((name === 'mode' && value === 'add') || (name === 'maxTotalMs' && value === 0))
      return undefined
    return typeof value === 'bigint' ? String(value) : value
  })
  return createHash('sha256').update(text).digest()
}

function termsOf(item: NewItem, nowMs: number): Terms {
  const { sellerId, currency, startPrice, minIncrement, endAtMs, softClose } = item
  return {
    itemId: randomUUIDv7(),
    sellerId,
    currency,
    format: 'english',
    startPrice,
    minIncrement,
    startAtMs: item.startAtMs ?? nowMs,
    endAtMs,
    softClose,
  }
}

function newRow({ title, description, images, category }: NewItem, event: Created): ItemRow {
  const now = new Date(event.atMs)
  return {
    ...stateToRow(created(event)),
    title,
    description,
    images: [...images],
    category,
    created_at: now,
    updated_at: now,
    cancel_reason: '',
  }
}
