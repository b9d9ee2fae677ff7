/**
 * What the lanes are held against: one transaction per bid, as well as it can be done. The same rules,
 * tables and row lock; plain single-row statements, pipelined so that a bid costs two round trips
 * (BEGIN goes with the lock, COMMIT with the writes); as many connections as serve it best.
 */
import { randomUUIDv7 } from 'node:crypto'
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import { decide } from '@bidmesh/auction/decide.ts'
import type { BidPlaced } from '@bidmesh/auction/events.ts'
import { evolve } from '@bidmesh/auction/evolve.ts'
import type { PlacedBid } from '@bidmesh/bid/decide-batch.ts'
import { bidRejected } from '@bidmesh/bid/errors.ts'
import { encodeEvent } from '@bidmesh/events/encode-event.ts'
import { stateColumns, stateFromRow, type StateRow } from '@bidmesh/bid/item-row.ts'
import type { Committed, Session, Transaction } from '@bidmesh/platform/postgres/session.ts'

export type BaselineBid = { itemId: string; userId: string; amount: bigint }
export type BaselineAnswer = { bid: PlacedBid; state: AuctionState; extended: boolean }

/**
 * Decides and commits one bid. Throws the same errors as the bid service.
 *
 * @param pipelined false: every statement waits for the one before, as such a handler is usually written
 */
export async function placeBidAlone(
  session: Session,
  entry: BaselineBid,
  pipelined: boolean,
): Promise<BaselineAnswer> {
  const outcome = await session.transaction((transaction) =>
    decideAndWrite(pipelined ? transaction : oneByOne(transaction), entry),
  )
  if (outcome instanceof Error) throw outcome
  return outcome
}

/** A query is sent when it is awaited, not before: so each can wait for the one before, BEGIN and COMMIT as well. */
function oneByOne(transaction: Transaction): Transaction {
  const query: Transaction['query'] = async (statements) => {
    // Nothing but BEGIN, if it was not sent yet.
    await transaction.query(() => [])
    return await transaction.query((sql) => {
      let before: Promise<unknown> = Promise.resolve()
      const inTurn = statements(sql).map((each) => {
        before = before.then(() => each)
        return before
      })
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- map() forgets the tuple
      return inTurn as never
    })
  }
  return {
    query,
    commit: async (statements, beside) => {
      const results = await query(statements)
      return (await transaction.commit(() => [], beside)).map(() => results)
    },
  }
}

async function decideAndWrite(
  transaction: Transaction,
  entry: BaselineBid,
): Promise<Committed<BaselineAnswer | Error>> {
  const [rows] = await transaction.query((sql) => [
    sql<(StateRow & { now: Date })[]>`
      WITH locked AS MATERIALIZED (
        SELECT ${sql([...stateColumns])} FROM items WHERE id = ${entry.itemId} FOR UPDATE
      )
      SELECT locked.*, clock_timestamp() AS now FROM locked`,
  ])
  const row = rows[0]
  const before = row && stateFromRow(row)
  const command = { kind: 'place_bid', userId: entry.userId, amount: entry.amount } as const
  const decision = before && decide(before, command, row.now.getTime())
  // Items of the bench are open from the start: a bid is one event.
  const event = decision?.events?.[0]
  if (!before || event?.type !== 'bid_placed') {
    const rejection = bidRejected(decision?.rejection ?? 'item_not_found', before)
    return (await transaction.commit(() => [])).map(() => rejection)
  }
  const { sequence, atMs: createdAtMs, extended } = event
  const bid: PlacedBid = { ...entry, id: randomUUIDv7(), sequence, createdAtMs }
  const state = evolve(before, event)
  const done = await writeAndCommit(transaction, bid, before, event, state)
  return done.map(() => ({ bid, state, extended }))
}

async function writeAndCommit(
  transaction: Transaction,
  bid: PlacedBid,
  before: AuctionState,
  placed: BidPlaced,
  state: AuctionState,
): Promise<Committed<unknown>> {
  const createdAt = new Date(bid.createdAtMs)
  const context = { bidId: bid.id, title: '', category: '', trace: {} }
  const event = encodeEvent(placed, before, state, context)
  return await transaction.commit((sql) => [
    sql`
      INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
      VALUES (${bid.itemId}, ${bid.sequence}, ${bid.id}, ${bid.userId}, ${bid.amount}, ${createdAt})`,
    sql`
      UPDATE items SET
        end_at = ${new Date(state.endAtMs)},
        extension_count = ${state.extensionCount},
        current_highest_bid = ${state.currentHighestBid},
        highest_bidder_id = ${state.highestBidderId},
        sequence = ${state.sequence},
        version = ${state.version},
        updated_at = ${createdAt}
      WHERE id = ${bid.itemId}`,
    sql`
      INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
      VALUES (0, ${event.id}, ${bid.itemId}, ${event.type}, ${Buffer.from(event.payload)}, ${createdAt})`,
  ])
}
