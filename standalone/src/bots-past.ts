/**
 * A day that the bots' market has behind it when it opens, so that its figures and histories are not empty: the
 * auctions of bots, bid by bid, decided by the production rules at times gone by, and stored with the same
 * events as any other, which statistics are made of. Only in a store without any item.
 */
import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import { randomUUIDv7 } from 'node:crypto'
import { type AuctionState, defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import type { Command } from '@bidmesh/auction/commands.ts'
import { decide, minimumNextBid } from '@bidmesh/auction/decide.ts'
import type { Created } from '@bidmesh/auction/events.ts'
import { created, evolve } from '@bidmesh/auction/evolve.ts'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { NO_HASH } from '@bidmesh/bid/event-chain.ts'
import { encodeCreated, encodeEvent } from '@bidmesh/events/encode-event.ts'
import { actorOf, type ChainedEvent, chained, insertEvents } from '@bidmesh/bid/append-events.ts'
import { stateToRow } from '@bidmesh/bid/item-row.ts'
import type { ReservedSql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { type BotItem, botName, newBotItem, pick } from './bot-catalogue.ts'
import { decideBotBid } from './bot-decisions.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const AUCTIONS = 140
const BIDDERS = 40
const RUN_LEAST_MS = 4 * MINUTE_MS
const RUN_SPREAD_MS = 50 * MINUTE_MS
/** Between two looks of anybody at one item, on average. */
const LOOK_MS = 20_000

type PastAuction = {
  item: BotItem
  state: AuctionState
  createdAtMs: number
  events: ChainedEvent[]
  /** Of the last event. */
  historyHash: Buffer
}

/** Returns how many auctions were stored: 0 when the store has an item already. */
export async function storePast(session: Session): Promise<number> {
  return await session.transaction(async (transaction) => {
    const [[store]] = await transaction.query((sql) => [
      sql<[{ empty: boolean; now: Date }]>`
        SELECT NOT EXISTS (SELECT FROM items) AS empty, clock_timestamp() AS now`,
    ])
    const auctions = Array.from({ length: store.empty ? AUCTIONS : 0 }, () =>
      runAuction(startOf(store.now.getTime())),
    )
    const events = auctions.flatMap((auction) => auction.events)
    const done = await transaction.commit((sql) =>
      auctions.length > 0
        ? [insertItems(sql, auctions), sql`WITH ${insertEvents(sql, events)}`]
        : [],
    )
    return done.map(() => auctions.length)
  })
}

/** Over before now, and more of them towards the evening of that day. */
function startOf(nowMs: number): number {
  const agoMs = RUN_LEAST_MS + RUN_SPREAD_MS + Math.random() ** 1.5 * (DAY_MS - 2 * RUN_SPREAD_MS)
  return Math.round(nowMs - 10 * MINUTE_MS - agoMs)
}

/** Plays one auction to its end. */
function runAuction(createdAtMs: number): PastAuction {
  const item = newBotItem(Math.random)
  const names = Array.from({ length: BIDDERS }, (_, index) => botName(index))
  const creation = newCreation(item, pick(names, Math.random), createdAtMs)
  const { title, category } = item
  const context = { bidId: '', title, category, trace: {} }
  const actor = { userId: creation.terms.sellerId, origin: noOrigin }
  const first = chained(encodeCreated(creation, context), NO_HASH, actor)
  const past: PastAuction = {
    item,
    state: created(creation),
    createdAtMs,
    events: [first],
    historyHash: first.hash,
  }
  for (let nowMs = createdAtMs; nowMs < past.state.endAtMs; nowMs += lookPauseMs()) {
    const { state } = past
    const name = pick(names, Math.random)
    const offer = {
      ...state,
      id: state.itemId,
      title,
      minimumNextBid: minimumNextBid(state),
      endAt: timestampFromMs(state.endAtMs),
    }
    const wanted = decideBotBid(name, [offer], nowMs, Math.random)
    if (wanted) carryOut(past, { kind: 'place_bid', userId: name, amount: wanted.amount }, nowMs)
  }
  carryOut(past, { kind: 'settle' }, past.state.endAtMs)
  return past
}

/** What the rules reject has not happened. */
function carryOut(past: PastAuction, command: Command, nowMs: number): void {
  const { title, category } = past.item
  for (const event of decide(past.state, command, nowMs).events ?? []) {
    const before = past.state
    past.state = evolve(before, event)
    const bid = event.type === 'bid_placed' ? event : undefined
    const context = { bidId: bid ? uuidV7At(nowMs) : '', title, category, trace: {} }
    const encoded = encodeEvent(event, before, past.state, context)
    const next = chained(encoded, past.historyHash, actorOf(command, noOrigin), bid)
    past.events.push(next)
    past.historyHash = next.hash
  }
}

function lookPauseMs(): number {
  return 1 + Math.floor(-LOOK_MS * Math.log(1 - Math.random()))
}

function newCreation(item: BotItem, sellerId: string, createdAtMs: number): Created {
  const terms = {
    itemId: uuidV7At(createdAtMs),
    sellerId,
    currency: 'EUR',
    format: 'english',
    startPrice: item.startPrice,
    minIncrement: 0n,
    startAtMs: createdAtMs,
    endAtMs: Math.round(createdAtMs + RUN_LEAST_MS + Math.random() * RUN_SPREAD_MS),
    softClose: defaultSoftClose,
  } as const
  return { type: 'created', version: 1n, atMs: createdAtMs, terms }
}

/** As of a time gone by (RFC 9562, version 7): lists go by the order of ids. */
function uuidV7At(atMs: number): string {
  const time = atMs.toString(16).padStart(12, '0')
  // Version, variant and 74 random bits are as they should be already.
  return `${time.slice(0, 8)}-${time.slice(8)}${randomUUIDv7().slice(13)}`
}

function insertItems(sql: ReservedSql, auctions: readonly PastAuction[]) {
  const rows = auctions.map(({ item, state, createdAtMs, historyHash }) => ({
    ...stateToRow(state),
    history_hash: historyHash,
    title: item.title,
    description: item.description,
    images: [],
    category: item.category,
    created_at: isoOf(createdAtMs),
    updated_at: isoOf(state.endAtMs),
    start_at: isoOf(state.startAtMs),
    original_end_at: isoOf(state.originalEndAtMs),
    end_at: isoOf(state.endAtMs),
  }))
  return sql`INSERT INTO items ${sql(rows)}`
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
