/**
 * I1–I3: reads all bids in order and decides them again with the pure rules, item by item. Nothing but
 * the stored bids, what an item was created with, and where somebody has moved its end goes in; states and
 * acknowledgements must come out.
 */
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import { decide } from '@bidmesh/auction/decide.ts'
import { evolve } from '@bidmesh/auction/evolve.ts'
import { decodeItemEvent } from '@bidmesh/events/decode-event.ts'
import { stateColumns, stateFromRow, type StateRow } from '@bidmesh/bid/item-row.ts'
import { timestampMs } from '@bufbuild/protobuf/wkt'
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

/** The end that somebody gave an item when it had so many bids. */
type Extension = { endAtMs: number; bidsBefore: bigint }

type Item = { stored: AuctionState; replayed: AuctionState; extensions: Extension[] }

/** @param only ids of the items whose bids are read; all when left out */
export async function replayBids(
  sql: Sql,
  ledger: readonly LedgerEntry[],
  only?: readonly string[],
): Promise<Violation[]> {
  const violations: Violation[] = []
  const items = await readItems(sql, only)
  const told = Map.groupBy(ledger, (entry) => entry.bidId)
  const rows = sql<BidRow[]>`
    SELECT id, item_id, user_id, amount, sequence, created_at FROM bids ${ofThese(sql, 'item_id', only)}
    ORDER BY item_id, sequence`
  for await (const read of rows.cursor(rowsPerRead)) {
    for (const row of read) {
      violations.push(...compareWithLedger(row, told.get(row.id) ?? []), ...replay(items, row))
      told.delete(row.id)
    }
  }
  for (const entry of [...told.values()].flat()) {
    violations.push({ invariant: 'I1', message: `acknowledged but not stored: ${describe(entry)}` })
  }
  const twice = await sql<{ id: string }[]>`
    SELECT id FROM bids ${ofThese(sql, 'item_id', only)} GROUP BY id HAVING count(*) > 1`
  for (const { id } of twice) {
    violations.push({ invariant: 'I1', message: `bid ${id} is stored more than once` })
  }
  for (const item of items.values()) violations.push(...compareStates(item))
  return violations
}

function ofThese(sql: Sql, column: string, ids: readonly string[] | undefined) {
  return ids ? sql`WHERE ${sql(column)} = ANY (${[...ids]}::uuid[])` : sql``
}

async function readItems(
  sql: Sql,
  only: readonly string[] | undefined,
): Promise<Map<string, Item>> {
  const rows = await sql<
    StateRow[]
  >`SELECT ${sql([...stateColumns])} FROM items ${ofThese(sql, 'id', only)}`
  const moved = await readExtensions(sql)
  const items = rows.map((row): [string, Item] => {
    const stored = stateFromRow(row)
    const { firstEndAtMs = stored.originalEndAtMs, extensions = [] } = moved.get(row.id) ?? {}
    const replayed: AuctionState = {
      ...stored,
      status: 'active',
      endAtMs: firstEndAtMs,
      originalEndAtMs: firstEndAtMs,
      extensionCount: 0,
      currentHighestBid: 0n,
      highestBidderId: '',
      sequence: 0n,
      outcome: null,
    }
    return [row.id, { stored, replayed, extensions }]
  })
  return new Map(items)
}

type ExtensionRow = {
  item_id: string
  payload: Uint8Array
  creation: Uint8Array | null
  bids_before: bigint
}

/** Of items whose end somebody has moved, by the history. */
async function readExtensions(
  sql: Sql,
): Promise<Map<string, { firstEndAtMs: number; extensions: Extension[] }>> {
  const rows = await sql<ExtensionRow[]>`
    SELECT item_id, payload,
      (SELECT payload FROM item_events e WHERE e.item_id = item_events.item_id AND version = 1) AS creation,
      (SELECT count(*) FROM item_events e WHERE e.item_id = item_events.item_id AND type = 'bid.placed'
        AND e.version < item_events.version) AS bids_before
    FROM item_events WHERE type = 'item.extended' ORDER BY item_id, version`
  const moved = new Map<string, { firstEndAtMs: number; extensions: Extension[] }>()
  for (const { item_id: id, payload, creation, bids_before: bidsBefore } of rows) {
    const event = decodeItemEvent('item.extended', payload)
    if (event?.type !== 'item.extended') continue
    const { extension, previousEndAt } = event.message
    const first = creation && decodeItemEvent('item.created', creation)
    const firstEndAt = first?.type === 'item.created' ? first.message.endAt : previousEndAt
    const item = moved.get(id) ?? { firstEndAtMs: msOf(firstEndAt), extensions: [] }
    item.extensions.push({ endAtMs: msOf(extension?.endAt), bidsBefore })
    moved.set(id, item)
  }
  return moved
}

const msOf = (time: Parameters<typeof timestampMs>[0] | undefined) => (time ? timestampMs(time) : 0)

/** Extensions that came before bid number `sequence`; all without one. */
function extend(item: Item, sequence?: bigint): void {
  while (
    item.extensions[0] &&
    (sequence === undefined || item.extensions[0].bidsBefore < sequence)
  ) {
    const { endAtMs = 0 } = item.extensions.shift() ?? {}
    const version = item.replayed.version + 1n
    const extended = { type: 'extended', atMs: 0, by: 'operator', reason: '' } as const
    item.replayed = evolve(item.replayed, { ...extended, version, endAtMs })
  }
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
  extend(item, row.sequence)
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

function compareStates(item: Item): Violation[] {
  extend(item)
  const { stored, replayed } = item
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
