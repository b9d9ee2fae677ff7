/**
 * A day that the bots' market has behind it when it opens, so that its figures and histories are not empty: the
 * auctions of bots, bid by bid, decided by the production rules at times gone by, and stored with the same
 * events as any other, which statistics are made of. Only in a store without any item.
 */
import { randomUUIDv7 } from 'node:crypto'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  closeItem,
  decideBid,
  defaultSoftClose,
  type Head,
  minimumNextBid,
  type PlacedBid,
} from '@bidmesh/bid/auction.ts'
import {
  bidPlaced,
  insertOutbox,
  itemCreated,
  itemEnded,
  type OutboxEvent,
} from '@bidmesh/bid/events.ts'
import type { ReservedSql } from '@bidmesh/platform/postgres.ts'
import type { Session } from '@bidmesh/platform/session.ts'
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

type PastAuction = { item: BotItem; head: Head; createdAtMs: number; bids: PlacedBid[] }

/** Returns how many auctions were stored: 0 when the store has an item already. */
export async function storePast(session: Session): Promise<number> {
  return await session.transaction(async (pipeline) => {
    const [, [store]] = await pipeline<[unknown, { empty: boolean; now: Date }[]]>((sql) => [
      sql`BEGIN`,
      sql<{ empty: boolean; now: Date }[]>`
        SELECT NOT EXISTS (SELECT FROM items) AS empty, clock_timestamp() AS now`,
    ])
    const auctions: PastAuction[] = []
    const events: OutboxEvent[] = []
    if (store?.empty) {
      for (let index = 0; index < AUCTIONS; index += 1) {
        auctions.push(runAuction(startOf(store.now.getTime()), events))
      }
    }
    if (auctions.length > 0) {
      await pipeline<[unknown, unknown, unknown]>((sql) => [
        insertItems(sql, auctions),
        insertBids(sql, auctions),
        insertOutbox(sql, events),
      ])
    }
    await pipeline<[unknown]>((sql) => [sql`COMMIT`])
    return auctions.length
  })
}

/** Over before now, and more of them towards the evening of that day. */
function startOf(nowMs: number): number {
  const agoMs = RUN_LEAST_MS + RUN_SPREAD_MS + Math.random() ** 1.5 * (DAY_MS - 2 * RUN_SPREAD_MS)
  return Math.round(nowMs - 10 * MINUTE_MS - agoMs)
}

/** Plays one auction to its end; what happened is added to `events`, in order. */
function runAuction(createdAtMs: number, events: OutboxEvent[]): PastAuction {
  const item = newBotItem(Math.random)
  const names = Array.from({ length: BIDDERS }, (_, index) => botName(index))
  const sellerId = pick(names, Math.random)
  let head = newHead(item, sellerId, createdAtMs)
  events.push(itemCreated(head, item, {}, createdAtMs))
  const bids: PlacedBid[] = []
  for (let nowMs = createdAtMs; nowMs < head.endAtMs; nowMs += lookPauseMs()) {
    const name = pick(names, Math.random)
    const offer = {
      ...head,
      id: head.itemId,
      title: item.title,
      minimumNextBid: minimumNextBid(head),
      endAt: timestampFromMs(head.endAtMs),
    }
    const wanted = decideBotBid(name, [offer], nowMs, Math.random)
    if (!wanted) continue
    const decision = decideBid(head, { userId: name, amount: wanted.amount }, nowMs)
    if (decision.kind !== 'accepted') continue
    const after = decision.head
    const bid = {
      id: uuidV7At(nowMs),
      itemId: head.itemId,
      userId: name,
      amount: wanted.amount,
      sequence: after.sequence,
      createdAtMs: nowMs,
    }
    events.push(bidPlaced(bid, head, after, decision.extended, {}))
    bids.push(bid)
    head = after
  }
  head = closeItem(head, head.endAtMs) ?? head
  events.push(itemEnded(head))
  return { item, head, createdAtMs, bids }
}

function lookPauseMs(): number {
  return 1 + Math.floor(-LOOK_MS * Math.log(1 - Math.random()))
}

function newHead(item: BotItem, sellerId: string, createdAtMs: number): Head {
  return {
    itemId: uuidV7At(createdAtMs),
    sellerId,
    currency: 'EUR',
    status: 'active',
    startPrice: item.startPrice,
    minIncrement: 0n,
    startAtMs: createdAtMs,
    endAtMs: Math.round(createdAtMs + RUN_LEAST_MS + Math.random() * RUN_SPREAD_MS),
    softClose: defaultSoftClose,
    extensionCount: 0,
    currentHighestBid: 0n,
    highestBidderId: '',
    sequence: 0n,
    outcome: null,
    version: 1n,
  }
}

/** As of a time gone by (RFC 9562, version 7): lists go by the order of ids. */
function uuidV7At(atMs: number): string {
  const time = atMs.toString(16).padStart(12, '0')
  // Version, variant and 74 random bits are as they should be already.
  return `${time.slice(0, 8)}-${time.slice(8)}${randomUUIDv7().slice(13)}`
}

function insertItems(sql: ReservedSql, auctions: readonly PastAuction[]) {
  const rows = auctions.map(({ item, head, createdAtMs }) => ({
    id: head.itemId,
    title: item.title,
    description: item.description,
    images: [],
    category: item.category,
    seller_id: head.sellerId,
    currency: head.currency,
    start_price: head.startPrice,
    min_increment: head.minIncrement,
    soft_close_window_ms: head.softClose.windowMs,
    soft_close_extension_ms: head.softClose.extensionMs,
    soft_close_max_extensions: head.softClose.maxExtensions,
    created_at: isoOf(createdAtMs),
    updated_at: isoOf(head.endAtMs),
    start_at: isoOf(head.startAtMs),
    original_end_at: isoOf(head.endAtMs - head.extensionCount * head.softClose.extensionMs),
    status: head.status,
    end_at: isoOf(head.endAtMs),
    extension_count: head.extensionCount,
    current_highest_bid: head.currentHighestBid,
    highest_bidder_id: head.highestBidderId,
    sequence: head.sequence,
    outcome: head.outcome,
    version: head.version,
  }))
  return sql`INSERT INTO items ${sql(rows)}`
}

function insertBids(sql: ReservedSql, auctions: readonly PastAuction[]) {
  const rows = auctions
    .flatMap(({ bids }) => bids)
    .map((bid) => ({
      item_id: bid.itemId,
      sequence: bid.sequence,
      id: bid.id,
      user_id: bid.userId,
      amount: bid.amount,
      created_at: isoOf(bid.createdAtMs),
    }))
  return sql`INSERT INTO bids ${sql(rows)}`
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
