/** Puts an item up for auction: one row and one `item.created`, in one transaction. */
import { randomUUIDv7 } from 'node:crypto'
import type { Queryable, Sql } from '@bidmesh/platform/postgres.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { refuseTimes, type SoftClose } from './auction.ts'
import { insertOutbox, itemCreated } from './events.ts'
import { headFromRow, type ItemRow } from './item-row.ts'

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
  /** Trace context for the event. */
  trace: Readonly<Record<string, string>>
}

/** Returns the row made. Throws INVALID_ARGUMENT when the times do not make an auction. */
export async function createItem(sql: Sql, item: NewItem): Promise<ItemRow> {
  return await sql.begin(async (tx) => {
    const nowMs = await databaseClockMs(tx)
    const startAtMs = item.startAtMs ?? nowMs
    const fault = refuseTimes(startAtMs, item.endAtMs, nowMs)
    if (fault) throw new ConnectError(fault, Code.InvalidArgument)
    const now = new Date(nowMs).toISOString()
    const endAt = new Date(item.endAtMs).toISOString()
    const [row] = await tx<[ItemRow]>`
      INSERT INTO items ${tx({
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
        start_at: new Date(startAtMs).toISOString(),
        end_at: endAt,
        original_end_at: endAt,
        created_at: now,
        updated_at: now,
      })}
      RETURNING *`
    const event = itemCreated(headFromRow(row), row, item.trace, nowMs)
    await insertOutbox(tx, [event])
    return row
  })
}

/** The clock that decides, in whole milliseconds. */
async function databaseClockMs(sql: Queryable): Promise<number> {
  const [row] = await sql<[{ now: Date }]>`SELECT clock_timestamp() AS now`
  return row.now.getTime()
}
