/** Puts an item up for auction: one row and one `item.created`, in one transaction. */
import { randomUUIDv7 } from 'node:crypto'
import type { Session } from '@bidmesh/platform/session.ts'
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
export async function createItem(session: Session, item: NewItem): Promise<ItemRow> {
  return await session.transaction(async (pipeline) => {
    const [, [clock]] = await pipeline<[unknown, { now: Date }[]]>((sql) => [
      sql`BEGIN`,
      // The clock that decides, in whole milliseconds.
      sql<{ now: Date }[]>`SELECT clock_timestamp() AS now`,
    ])
    if (!clock) throw new Error('the database did not tell the time')
    const nowMs = clock.now.getTime()
    const startAtMs = item.startAtMs ?? nowMs
    const fault = refuseTimes(startAtMs, item.endAtMs, nowMs)
    if (fault) throw new ConnectError(fault, Code.InvalidArgument)
    const row = newRow(item, startAtMs, nowMs)
    const event = itemCreated(headFromRow(row), row, item.trace, nowMs)
    await pipeline<[unknown, unknown, unknown]>((sql) => [
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
  })
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
  }
}
