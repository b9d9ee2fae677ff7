/**
 * For tests: events as the write side publishes them, and what the projections must hold after them,
 * recomputed on its own. It shares no code with the projections, and nothing of how they batch.
 */
import { randomUUID } from 'node:crypto'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { BidPlacedSchema, ItemEndedSchema } from '@bidmesh/gen/events/v1/events_pb.ts'
import type { IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { lifecycleEventId } from '@bidmesh/events/event-id.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'

export type TestBid = {
  id: string
  itemId: string
  userId: string
  currency: string
  amount: bigint
  atMs: number
}
/** Unsold without a winner. */
export type TestEnd = {
  itemId: string
  /** Absent: USD, as for bids. */
  currency?: string
  winner?: { userId: string; amount: bigint }
  atMs: number
}

export function testBid(bid: Partial<TestBid> = {}): TestBid {
  const defaults = {
    id: randomUUID(),
    itemId: randomUUID(),
    userId: 'ann',
    currency: 'USD',
    amount: 100n,
  }
  return { ...defaults, atMs: Date.UTC(2026, 10, 1), ...bid }
}

/** @param over fields of the message to spoil */
export function bidEvent(
  bid: TestBid,
  over: MessageInitShape<typeof BidPlacedSchema> = {},
): IncomingEvent {
  const message = create(BidPlacedSchema, {
    bidId: bid.id,
    itemId: bid.itemId,
    userId: bid.userId,
    currency: bid.currency,
    amount: bid.amount,
    timestamp: timestampFromMs(bid.atMs),
    ...over,
  })
  const payload = toBinary(BidPlacedSchema, message)
  return arrived(bid.id, 'bid.placed', bid.itemId, payload, bid.atMs)
}

/** @param over fields of the message to spoil */
export function endEvent(
  { itemId, currency = 'USD', winner, atMs }: TestEnd,
  over: MessageInitShape<typeof ItemEndedSchema> = {},
): IncomingEvent {
  const message = create(ItemEndedSchema, {
    itemId,
    currency,
    outcome: winner ? ItemOutcome.SOLD : ItemOutcome.UNSOLD,
    winnerId: winner?.userId ?? '',
    hammerPrice: winner?.amount ?? 0n,
    endedAt: timestampFromMs(atMs),
    ...over,
  })
  const payload = toBinary(ItemEndedSchema, message)
  return arrived(lifecycleEventId(itemId, 'item.ended'), 'item.ended', itemId, payload, atMs)
}

export function arrived(
  id: string,
  type: string,
  key: string,
  payload: Uint8Array,
  atMs: number,
): IncomingEvent {
  return { id, type, key, payload, headers: {}, occurredAt: new Date(atMs), redelivered: false }
}

/** Every table of the projections, its rows as text in a fixed order. */
export type Projections = Record<
  'users' | 'amounts' | 'items' | 'pairs' | 'activity' | 'inbox',
  readonly string[]
>

export async function storedProjections(sql: Sql): Promise<Projections> {
  const [users, amounts, items, pairs, activity, inbox] = await Promise.all([
    sql`SELECT user_id, total_bids, items_bid_on, items_won, first_bid_at, last_bid_at, last_updated_at
      FROM user_stats WHERE total_amount = 0 AND amount_won = 0`,
    sql`SELECT user_id, currency, total_amount, highest_bid, amount_won FROM user_amounts`,
    sql`SELECT item_id, currency, total_bids, unique_bidders, highest_bid, first_bid_at, last_bid_at,
      ended_at, outcome, winner_id, hammer_price FROM item_stats`,
    sql`SELECT item_id, user_id, bids, amount, highest_bid FROM user_items`,
    sql`SELECT minute, user_id, currency, bids, amount FROM market_activity`,
    sql`SELECT event_id FROM inbox_events`,
  ])
  return {
    users: linesOf(users),
    amounts: linesOf(amounts),
    items: linesOf(items),
    pairs: linesOf(pairs),
    activity: linesOf(activity),
    inbox: linesOf(inbox),
  }
}

/** The same from the facts, each of which counts once. */
export function recomputedProjections(
  bids: readonly TestBid[],
  ends: readonly TestEnd[],
): Projections {
  const sold = ends.flatMap(({ winner, currency = 'USD', atMs }) =>
    winner ? [{ ...winner, currency, atMs }] : [],
  )
  const users = new Set([...bids, ...sold].map(({ userId }) => userId))
  const items = new Set([...bids, ...ends].map(({ itemId }) => itemId))
  const eventIds = ends.map(({ itemId }) => lifecycleEventId(itemId, 'item.ended'))
  return {
    users: linesOf(
      [...users].map((userId) => {
        const own = bids.filter((bid) => bid.userId === userId)
        const won = sold.filter((win) => win.userId === userId)
        const times = [...own, ...won].map(({ atMs }) => atMs)
        const { highest_bid: _, ...totals } = totalsOf(own)
        return {
          user_id: userId,
          ...totals,
          items_bid_on: new Set(own.map(({ itemId }) => itemId)).size,
          items_won: won.length,
          last_updated_at: new Date(Math.max(...times)),
        }
      }),
    ),
    amounts: amountsOf(bids, sold),
    items: linesOf(
      [...items].map((itemId) => {
        const own = bids.filter((bid) => bid.itemId === itemId)
        const end = ends.find((each) => each.itemId === itemId)
        return {
          item_id: itemId,
          currency: own[0]?.currency ?? end?.currency ?? 'USD',
          ...totalsOf(own),
          ended_at: end ? new Date(end.atMs) : null,
          unique_bidders: new Set(own.map(({ userId }) => userId)).size,
          outcome: end ? (end.winner ? 'sold' : 'unsold') : null,
          winner_id: end?.winner?.userId ?? '',
          hammer_price: end?.winner?.amount ?? 0n,
        }
      }),
    ),
    pairs: grouped(bids, ({ itemId, userId }) => ({ item_id: itemId, user_id: userId }), true),
    activity: grouped(
      bids,
      ({ atMs, userId, currency }) => ({
        minute: new Date(atMs).toISOString().slice(0, 16),
        user_id: userId,
        currency,
      }),
      false,
    ),
    inbox: linesOf([...bids.map(({ id }) => id), ...eventIds].map((id) => ({ event_id: id }))),
  }
}

function totalsOf(bids: readonly TestBid[]) {
  const times = bids.map(({ atMs }) => atMs)
  return {
    total_bids: bids.length,
    highest_bid: highest(bids),
    first_bid_at: bids.length > 0 ? new Date(Math.min(...times)) : null,
    last_bid_at: bids.length > 0 ? new Date(Math.max(...times)) : null,
  }
}

function amountsOf(
  bids: readonly TestBid[],
  sold: readonly { userId: string; currency: string; amount: bigint }[],
): string[] {
  const keyOf = ({ userId, currency }: { userId: string; currency: string }) =>
    JSON.stringify({ user_id: userId, currency })
  const keys = new Set([...bids, ...sold].map(keyOf))
  return linesOf(
    [...keys].map((key) => {
      const own = bids.filter((bid) => keyOf(bid) === key)
      const won = sold.filter((win) => keyOf(win) === key)
      const sums = { total_amount: sum(own), highest_bid: highest(own), amount_won: sum(won) }
      return { ...JSON.parse(key), ...sums }
    }),
  )
}

function grouped(
  bids: readonly TestBid[],
  keyOf: (bid: TestBid) => {
    user_id: string
    currency?: string
    minute?: string
    item_id?: string
  },
  withHighest: boolean,
): string[] {
  const groups = Map.groupBy(bids, (bid) => JSON.stringify(keyOf(bid)))
  return linesOf(
    [...groups.values()].map((group) => {
      const { minute, ...key } = keyOf(group[0] ?? testBid())
      return {
        ...key,
        ...(minute && { minute: new Date(`${minute}Z`) }),
        bids: group.length,
        amount: sum(group),
        ...(withHighest && { highest_bid: highest(group) }),
      }
    }),
  )
}

function sum(rows: readonly { amount: bigint }[]): bigint {
  return rows.reduce((total, { amount }) => total + amount, 0n)
}

function highest(rows: readonly { amount: bigint }[]): bigint {
  return rows.reduce((most, { amount }) => (amount > most ? amount : most), 0n)
}

/** Numbers of all kinds look alike in here; columns are named and sorted. */
function linesOf(rows: readonly object[]): string[] {
  return rows
    .map((row) =>
      Object.entries(row)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]: [string, unknown]) => `${name}=${textOf(value)}`)
        .join(' '),
    )
    .toSorted()
}

function textOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}
