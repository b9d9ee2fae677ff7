/**
 * Throws the projections away and recomputes them from the write side, while events keep arriving.
 *
 * 1. One transaction empties inbox, projections and leaderboards; it waits for batches under way and holds up new ones.
 * 2. All bids and ended items of the write side are applied like events, under the ids of their events.
 *
 * Why nothing is lost or counted twice: an event applied before step 1 was committed on the write side
 * before it, so step 2 reads it. An event that arrives after step 1 may also be read by step 2; the inbox
 * takes whichever comes first and drops the other. Killed in the middle, it is simply run again.
 */
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import type { BidFact, EndFact } from './facts.ts'
import { lifecycleEventId } from '@bidmesh/events/event-id.ts'
import type { Leaderboards } from './leaderboards.ts'
import { projectFacts } from './project-events.ts'

/** Rows read and applied at once: about 80 ms of work, and live batches wait no longer than that. */
const CHUNK = 2_000

export type Progress = (done: number, total: number) => void

export type RebuildOptions = {
  /** The stats database. */
  session: Session
  /** The write side's database; only read. */
  bidSql: Sql
  leaderboards: Leaderboards
  /** Told after each chunk; `total` is the count at the start and may be passed by live bids. */
  onProgress: Progress
}

/** Returns how many bids and ended items were read. */
export async function rebuild(options: RebuildOptions): Promise<number> {
  const { session, bidSql, leaderboards, onProgress } = options
  const [count] = await bidSql<[{ total: bigint }]>`
    SELECT (SELECT count(*) FROM bids) + (SELECT count(*) FROM items WHERE status = 'ended') AS total`
  const total = Number(count.total)
  await session.transaction(async (transaction) => {
    await transaction.query((sql) => [
      // In the order in which a batch locks them.
      sql`TRUNCATE inbox_events, user_items, user_stats, user_amounts, item_stats, market_activity, activity`,
    ])
    // Under those locks, so that no batch writes in between; without Redis nothing is thrown away.
    await leaderboards.clear()
    return await transaction.commit(() => [])
  })
  let done = 0
  for (const read of [readBids, readEnds]) {
    for await (const facts of read(bidSql)) {
      await leaderboards.update((await projectFacts(session, facts)).standings)
      done += facts.length
      onProgress(done, total)
    }
  }
  // Anew: a consumer that had committed before the TRUNCATE may have written its totals after the clearing.
  // Should Redis be unavailable now, the marker's hour mends it.
  await leaderboards.clear().catch(() => undefined)
  await leaderboards.refill()
  return done
}

type BidRow = {
  id: string
  item_id: string
  sequence: bigint
  user_id: string
  currency: string
  amount: bigint
  created_at: Date
}

async function* readBids(bidSql: Sql): AsyncGenerator<BidFact[]> {
  let after = { item_id: '00000000-0000-0000-0000-000000000000', sequence: 0n }
  for (;;) {
    const rows: BidRow[] = await bidSql<BidRow[]>`
      SELECT b.id, item_id, b.sequence, user_id, currency, amount, b.created_at
      FROM bids b JOIN items i ON i.id = item_id
      WHERE (item_id, b.sequence) > (${after.item_id}::uuid, ${after.sequence}::bigint)
      ORDER BY item_id, b.sequence LIMIT ${CHUNK}`
    const last = rows.at(-1)
    if (!last) return
    after = last
    yield rows.map((row) => ({
      kind: 'bid',
      eventId: row.id,
      itemId: row.item_id,
      userId: row.user_id,
      currency: row.currency,
      amount: row.amount,
      atMs: row.created_at.getTime(),
    }))
  }
}

type EndRow = {
  id: string
  currency: string
  end_at: Date
  outcome: 'sold' | 'unsold'
  highest_bidder_id: string
  current_highest_bid: bigint
}

async function* readEnds(bidSql: Sql): AsyncGenerator<EndFact[]> {
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const rows: EndRow[] = await bidSql<EndRow[]>`
      SELECT id, currency, end_at, outcome, highest_bidder_id, current_highest_bid FROM items
      WHERE status = 'ended' AND id > ${after} ORDER BY id LIMIT ${CHUNK}`
    const last = rows.at(-1)
    if (!last) return
    after = last.id
    yield rows.map((row) => ({
      kind: 'end',
      eventId: lifecycleEventId(row.id, 'item.ended'),
      itemId: row.id,
      currency: row.currency,
      atMs: row.end_at.getTime(),
      outcome: row.outcome,
      winnerId: row.outcome === 'sold' ? row.highest_bidder_id : '',
      hammerPrice: row.outcome === 'sold' ? row.current_highest_bid : 0n,
    }))
  }
}
