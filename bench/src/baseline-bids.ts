/**
 * What the lanes are held against: one transaction per bid, as well as it can be done. The same rules,
 * tables and row lock; plain single-row statements, pipelined so that a bid costs two round trips
 * (BEGIN goes with the lock, COMMIT with the writes); as many connections as serve it best.
 */
import { randomUUIDv7 } from 'node:crypto'
import { decideBid, type Head, type PlacedBid } from '@bidmesh/bid/auction.ts'
import { bidRefused } from '@bidmesh/bid/errors.ts'
import { bidPlaced } from '@bidmesh/bid/events.ts'
import { headColumns, headFromRow, type HeadRow } from '@bidmesh/bid/item-row.ts'
import type { Pipeline, Session } from '@bidmesh/platform/session.ts'

export type BaselineBid = { itemId: string; userId: string; amount: bigint }
export type BaselineAnswer = { bid: PlacedBid; head: Head; extended: boolean }

/**
 * Decides and commits one bid. Throws the same refusals as the bid service.
 *
 * @param pipelined false: every statement waits for the one before, as such a handler is usually written
 */
export async function placeBidAlone(
  session: Session,
  entry: BaselineBid,
  pipelined: boolean,
): Promise<BaselineAnswer> {
  const outcome = await session.transaction((pipeline) =>
    decideAndWrite(pipelined ? pipeline : oneByOne(pipeline), entry),
  )
  if (outcome instanceof Error) throw outcome
  return outcome
}

/** A query is sent when it is awaited, not before: so each can wait for the one before. */
function oneByOne(pipeline: Pipeline): Pipeline {
  return (statements) =>
    pipeline((sql) => {
      let before: Promise<unknown> = Promise.resolve()
      const inTurn = statements(sql).map((query) => {
        before = before.then(() => query)
        return before
      })
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- map() forgets the tuple
      return inTurn as never
    })
}

async function decideAndWrite(
  pipeline: Pipeline,
  entry: BaselineBid,
): Promise<BaselineAnswer | Error> {
  const [, rows] = await pipeline<[unknown, (HeadRow & { now: Date })[]]>((sql) => [
    sql`BEGIN`,
    sql<(HeadRow & { now: Date })[]>`
      WITH locked AS MATERIALIZED (
        SELECT ${sql([...headColumns])} FROM items WHERE id = ${entry.itemId} FOR UPDATE
      )
      SELECT locked.*, clock_timestamp() AS now FROM locked`,
  ])
  const row = rows[0]
  const decision = row && decideBid(headFromRow(row), entry, row.now.getTime())
  if (row === undefined || decision?.kind !== 'accepted') {
    await pipeline<[unknown]>((sql) => [sql`COMMIT`])
    return decision?.kind === 'refused' && row
      ? bidRefused(decision.refusal, headFromRow(row))
      : bidRefused('item_not_found')
  }
  const { head, extended } = decision
  const bid: PlacedBid = {
    ...entry,
    id: randomUUIDv7(),
    sequence: head.sequence,
    createdAtMs: row.now.getTime(),
  }
  await writeAndCommit(pipeline, bid, headFromRow(row), head, extended)
  return { bid, head, extended }
}

async function writeAndCommit(
  pipeline: Pipeline,
  bid: PlacedBid,
  before: Head,
  head: Head,
  extended: boolean,
): Promise<void> {
  const createdAt = new Date(bid.createdAtMs)
  const event = bidPlaced(bid, before, head, extended, {})
  await pipeline<[unknown, unknown, unknown, unknown]>((sql) => [
    sql`
      INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
      VALUES (${bid.itemId}, ${bid.sequence}, ${bid.id}, ${bid.userId}, ${bid.amount}, ${createdAt})`,
    sql`
      UPDATE items SET
        end_at = ${new Date(head.endAtMs)},
        extension_count = ${head.extensionCount},
        current_highest_bid = ${head.currentHighestBid},
        highest_bidder_id = ${head.highestBidderId},
        sequence = ${head.sequence},
        version = ${head.version},
        updated_at = ${createdAt}
      WHERE id = ${bid.itemId}`,
    sql`
      INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
      VALUES (0, ${event.id}, ${bid.itemId}, ${event.type}, ${Buffer.from(event.payload)}, ${createdAt})`,
    sql`COMMIT`,
  ])
}
