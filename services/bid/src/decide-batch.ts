/**
 * A batch of commands decided in order of arrival on locked rows: each sees what those before it have made. Pure but
 * for the ids it draws.
 */
import { randomUUIDv7 } from 'node:crypto'
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import type { Command, PlaceBid, Rejection } from '@bidmesh/auction/commands.ts'
import { decide } from '@bidmesh/auction/decide.ts'
import type { BidPlaced, Change, ItemTexts } from '@bidmesh/auction/events.ts'
import { evolve } from '@bidmesh/auction/evolve.ts'
import { encodeEvent } from '@bidmesh/events/encode-event.ts'
import { actorOf, type ChainedEvent, chained } from './append-events.ts'
import type { Origin } from '@bidmesh/platform/identity/origin.ts'
import { type ItemRow, stateColumns, stateFromRow, type StateRow } from './item-row.ts'
import { LEFT } from './lane-entry.ts'

/** A command on its way to a decision. */
export type CommandEntry<C extends Command = Command> = {
  itemId: string
  command: C
  /** Of a bid; empty: none. */
  idempotencyKey: string
  /** Trace context to store with the events; empty when the request is not sampled. */
  trace: Readonly<Record<string, string>>
  /** Where the request came from. */
  origin: Origin
}

export type BidEntry = CommandEntry<PlaceBid>

/** A bid that was accepted, as it is stored. */
export type PlacedBid = {
  id: string
  itemId: string
  userId: string
  amount: bigint
  sequence: bigint
  createdAtMs: number
}

export type Rejected = {
  kind: 'rejected'
  /** By the rules, or because of the key or the id that the command names. */
  rejection: Rejection | 'key_reused' | 'item_not_found'
  /** As the command was rejected on; absent when there is no such item. */
  state?: AuctionState
}
export type BidOutcome =
  | { kind: 'accepted'; bid: PlacedBid; state: AuctionState; extended: boolean }
  /** The key has placed this bid before. */
  | { kind: 'repeated'; bid: PlacedBid; state: AuctionState }
  | Rejected
export type ChangeOutcome =
  /** `item` is read for those who edit or cancel, before the commit. */
  { kind: 'changed'; state: AuctionState; item?: ItemRow } | Rejected
export type Outcome = BidOutcome | ChangeOutcome

/** Columns that a command is decided on; for `sql(lockedColumns)`. */
export const lockedColumns = [...stateColumns, 'history_hash'] as const

/** `title` and `category` only where a batch has edits, whose events tell them. */
export type LockedRow = StateRow & { now: Date; history_hash: Uint8Array } & Partial<
    Pick<ItemRow, 'title' | 'category'>
  >

export type StoredBid = PlacedBid & { idempotencyKey: string }

/** What stands in an item's row beside its state. */
export type ChangedTexts = Partial<ItemTexts> & { cancelReason?: string }

export type DecidedBatch = {
  /** Undefined: the item was not locked. */
  outcomes: (Outcome | typeof LEFT | undefined)[]
  bids: StoredBid[]
  /** The last state of every item that changed, and when it did. */
  changed: Map<string, { state: AuctionState; atMs: number; historyHash: Uint8Array }>
  texts: Map<string, ChangedTexts>
  events: ChainedEvent[]
}

/** User ids hold no NUL, so no two pairs share a key. */
export function keyOf(userId: string, idempotencyKey: string): string {
  return `${userId}\0${idempotencyKey}`
}

/**
 * @param rows those that are locked, each with the time read after its lock
 * @param earlier what idempotency keys have placed already, by {@link keyOf}
 * @param hasLeft asked when the entry with this index is decided
 */
export function decideBatch(
  entries: readonly CommandEntry[],
  rows: readonly LockedRow[],
  earlier: ReadonlyMap<string, PlacedBid> = new Map(),
  hasLeft?: (index: number) => boolean,
): DecidedBatch {
  const items = new Map(rows.map((row) => [row.id, lockedItem(row)]))
  const placed = new Map(earlier)
  const batch: Omit<DecidedBatch, 'outcomes'> = {
    bids: [],
    changed: new Map(),
    texts: new Map(),
    events: [],
  }
  const outcomes = entries.map((entry, index): Outcome | typeof LEFT | undefined => {
    const item = items.get(entry.itemId)
    if (!item) return undefined
    if (hasLeft?.(index)) return LEFT
    const { command, idempotencyKey } = entry
    const key =
      command.kind === 'place_bid' && idempotencyKey ? keyOf(command.userId, idempotencyKey) : ''
    const before = key ? placed.get(key) : undefined
    if (before) return repeat(entry, before, item.state)
    const { events, rejection } = decide(item.state, command, item.atMs)
    if (rejection) return { kind: 'rejected', rejection, state: item.state }
    let outcome: Outcome = { kind: 'changed', state: item.state }
    for (const event of events) outcome = record(batch, item, entry, event)
    if (key && outcome.kind === 'accepted') placed.set(key, outcome.bid)
    return outcome
  })
  return { ...batch, outcomes }
}

type LockedItem = {
  state: AuctionState
  /** Of the event that made it, or of the last one before that is in the history. */
  historyHash: Uint8Array
  atMs: number
  title: string
  category: string
}

function lockedItem(row: LockedRow): LockedItem {
  const { title = '', category = '', history_hash: historyHash } = row
  return { state: stateFromRow(row), historyHash, atMs: row.now.getTime(), title, category }
}

function repeat({ itemId, command }: CommandEntry, bid: PlacedBid, state: AuctionState): Outcome {
  const same =
    command.kind === 'place_bid' && bid.itemId === itemId && bid.amount === command.amount
  return same
    ? { kind: 'repeated', bid, state }
    : { kind: 'rejected', rejection: 'key_reused', state }
}

/** Moves the item on by one event; returns what the command has come to with it. */
function record(
  batch: Omit<DecidedBatch, 'outcomes'>,
  item: LockedItem,
  entry: CommandEntry,
  event: Change,
): Outcome {
  const before = item.state
  const state = evolve(before, event)
  item.state = state
  let bid: StoredBid | undefined
  let outcome: Outcome = { kind: 'changed', state }
  if (event.type === 'bid_placed') {
    bid = storedBid(entry, event)
    batch.bids.push(bid)
    outcome = { kind: 'accepted', bid, state, extended: event.extended }
  } else if (event.type === 'edited') {
    Object.assign(item, event.texts)
    batch.texts.set(state.itemId, { ...batch.texts.get(state.itemId), ...event.texts })
  } else if (event.type === 'cancelled') {
    const { reason: cancelReason } = event
    batch.texts.set(state.itemId, { ...batch.texts.get(state.itemId), cancelReason })
  }
  const { title, category } = item
  const context = { bidId: bid?.id ?? '', title, category, trace: entry.trace }
  const message = encodeEvent(event, before, state, context)
  const next = chained(message, item.historyHash, actorOf(entry.command, entry.origin), bid)
  item.historyHash = next.hash
  batch.events.push(next)
  batch.changed.set(state.itemId, { state, atMs: event.atMs, historyHash: next.hash })
  return outcome
}

function storedBid({ itemId, idempotencyKey }: CommandEntry, event: BidPlaced): StoredBid {
  const { userId, amount, sequence, atMs: createdAtMs } = event
  return { id: randomUUIDv7(), itemId, userId, amount, sequence, createdAtMs, idempotencyKey }
}
