/** How late the ends of a hundred items are that an auctioneer finds among all that are open. */
import { randomUUIDv7 } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { median } from '../report/percentile.ts'
import { insertItems } from '../target.ts'

const endingCount = 100
/** To insert them, and over how long they end. */
const ends = { lastMs: 1_500, spreadMs: 1_000 }
/** An auctioneer that needs longer has stopped. */
const limitMs = 30_000

/** Median in ms, by the time at which the history recorded them. */
export async function endLatenessMs(sql: Sql): Promise<number> {
  const ids = Array.from({ length: endingCount }, () => randomUUIDv7())
  await insertItems(sql, ids, ends)
  const deadlineMs = performance.now() + limitMs
  while (performance.now() < deadlineMs) {
    await sleep(100)
    const late = await sql<{ ms: number }[]>`
      SELECT (extract(epoch FROM recorded_at - end_at) * 1000)::float8 AS ms
      FROM items JOIN item_events e ON item_id = items.id AND e.version = items.version
      WHERE items.id = ANY (${ids}::uuid[]) AND status = 'ended'`
    if (late.length === endingCount) return median(late.map(({ ms }) => ms))
  }
  throw new Error(`items that ended are open after ${limitMs} ms`)
}
