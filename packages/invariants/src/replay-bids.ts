/**
 * I1–I3: reads all bids in order and decides them again with the pure rules, item by item. Nothing but
 * the stored bids and what an item was created with goes in; states and acknowledgements must come out.
 */
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import { decide } from '@bidmesh/auction/decide.ts'
import { evolve } from '@bidmesh/auction/evolve.ts'
import { stateColumns, stateFromRow, type StateRow } from '@bidmesh/bid/item-row.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Violation } from './violation.ts'
import type { LedgerEntry } from './ledger.ts'

/** Rows read at once: a few hundred bytes each. */
const rowsPerRead = 5_000

type BidRow = {
  id: string
  item_id: string
  user_id: string
  amount: bigint
  sequence: bigint
  created_at: Date
}

type Item = { stored: AuctionState; replayed: AuctionState }

export async function replayBids(sql: Sql, ledger: readonly LedgerEntry[]): Promise<Violation[]> {
  const violations: Violation[] = []
  const items = await readItems(sql)
  const told = Map.groupBy(ledger, (entry) => entry.bidId)
  const rows = sql<BidRow[]>`
    SELECT id, item_id, user_id, amount, sequence, created_at FROM bids ORDER BY item_id, sequence`
  for await (const read of rows.cursor(rowsPerRead)) {
    for (const row of read) {
      violations.push(...compareWithLedger(row, told.get(row.id) ?? []), ...replay(items, row))
      told.delete(row.id)
    }
  }
  for (const entry of [...told.values()].flat()) {
    violations.push({ invariant: 'I1', message: `acknowledged but not stored: ${describe(entry)}` })
  }
  const twice = await sql<{ id: string }[]>`SELECT id FROM bids GROUP BY id HAVING count(*) > 1`
  for (const { id } of twice) {
    violations.push({ invariant: 'I1', message: `bid ${id} is stored more than once` })
  }
  for (const item of items.values()) violations.push(...compareStates(item))
  return violations
}

async function readItems(sql: Sql): Promise<Map<string, Item>> {
  const rows = await sql<StateRow[]>`SELECT ${sql([...stateColumns])} FROM items`
  const items = rows.map((row): [string, Item] => {
    const stored = stateFromRow(row)
    const replayed: AuctionState = {
      ...stored,
      status: 'active',
      endAtMs: stored.originalEndAtMs,
      extensionCount: 0,
      currentHighestBid: 0n,
      highestBidderId: '',
      sequence: 0n,
      outcome: null,
    }
    return [row.id, { stored, replayed }]
  })
  return new Map(items)
}

function compareWithLedger(row: BidRow, told: readonly LedgerEntry[]): Violation[] {
  return told
    .filter(
      (entry) =>
        entry.itemId !== row.item_id ||
        entry.userId !== row.user_id ||
        entry.amount !== row.amount ||
        entry.sequence !== row.sequence,
    )
    .map((entry) => ({
      invariant: 'I1',
      message: `acknowledged ${describe(entry)}, stored ${describeRow(row)}`,
    }))
}

/** Moves the item's replayed state on by one stored bid. */
function replay(items: Map<string, Item>, row: BidRow): Violation[] {
  const item = items.get(row.item_id)
  if (item === undefined) {
    return [{ invariant: 'I3', message: `bid on an item that is not there: ${describeRow(row)}` }]
  }
  const violations: Violation[] = []
  const { replayed } = item
  if (row.sequence !== replayed.sequence + 1n) {
    violations.push({ invariant: 'I2', message: `after ${replayed.sequence}: ${describeRow(row)}` })
  }
  if (row.amount <= replayed.currentHighestBid) {
    const message = `not above ${replayed.currentHighestBid}: ${describeRow(row)}`
    violations.push({ invariant: 'I2', message })
  }
  const bid = { kind: 'place_bid', userId: row.user_id, amount: row.amount } as const
  const { events, rejection } = decide(replayed, bid, row.created_at.getTime())
  if (events) item.replayed = events.reduce(evolve, replayed)
  else {
    violations.push({ invariant: 'I3', message: `stored though ${rejection}: ${describeRow(row)}` })
  }
  // One wrong bid must not make all that follow look wrong.
  item.replayed = {
    ...item.replayed,
    sequence: row.sequence,
    currentHighestBid: row.amount,
    highestBidderId: row.user_id,
  }
  return violations
}

const stateFields = [
  'currentHighestBid',
  'highestBidderId',
  'sequence',
  'endAtMs',
  'extensionCount',
  'outcome',
] as const satisfies (keyof AuctionState)[]

function compareStates({ stored, replayed }: Item): Violation[] {
  const expected = stored.status === 'ended' ? ended(replayed, stored.endAtMs) : replayed
  return stateFields
    .filter((field) => stored[field] !== expected[field])
    .map((field) => ({
      invariant: 'I3',
      message: `item ${stored.itemId}: ${field} is ${stored[field]}, replayed ${expected[field]}`,
    }))
}

/** At its time, or when somebody ended it before. */
function ended(replayed: AuctionState, endAtMs: number): AuctionState {
  const operator = { userId: '', operator: true }
  const { events = [] } =
    endAtMs < replayed.endAtMs
      ? decide(replayed, { kind: 'end_now', by: operator }, endAtMs - 1)
      : decide(replayed, { kind: 'settle' }, replayed.endAtMs)
  return events.reduce(evolve, replayed)
}

function describe(entry: LedgerEntry): string {
  const { bidId, itemId, userId, amount, sequence } = entry
  return `bid ${bidId} on ${itemId} by ${userId}: ${amount}, sequence ${sequence}`
}

function describeRow(row: BidRow): string {
  return describe({
    bidId: row.id,
    itemId: row.item_id,
    userId: row.user_id,
    amount: row.amount,
    sequence: row.sequence,
  })
}
