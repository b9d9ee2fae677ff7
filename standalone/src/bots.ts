/**
 * Bidders that keep a demo lively, through the same procedures as anybody. Each looks at what is open, bids,
 * sometimes says something, and rests; together they put up new items as others end, so that something always
 * ends soon. A failed call is a turn lost, no more: bots must never be why a process ends or its log fills.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { BidmeshClient } from '@bidmesh/client'
import {
  type Item,
  ItemStatus,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { botLines, botName, newBotItem, pick } from './bot-catalogue.ts'
import { decideBotBid, leftMs, pickByUrgency } from './bot-decisions.ts'

/** Between two turns of a bot: as a person who looks, thinks and taps. */
const usualPace = { leastMs: 3_000, mostMs: 15_000 }
/** A whole page of items, shared by all bots for this long: with 200 of them it is one query a second. */
const VIEW_SHARED_MS = 1_000
const PAGE_SIZE = 100
/** Of a bot's turns, so many are a word instead of a bid. */
const CHAT_SHARE = 0.03
/** How many items should end within the next minutes: enough for everybody, few enough to be fought for. */
const SOON_MS = 8 * 60_000
const SOON_ITEMS_LEAST = 5
const SOON_ITEMS_MOST = 30
const BOTS_PER_SOON_ITEM = 2
/** How long an item of a bot runs. */
const RUN_LEAST_MS = 2 * 60_000
const RUN_MOST_MS = 8 * 60_000

export type BotsOptions = {
  /** 0: nobody. */
  count: number
  log: Log
  /** Tests hurry. */
  pace?: { leastMs: number; mostMs: number }
}

export type Bots = {
  /** Ends the bots when the process begins to stop. */
  component: Component
  /** Lets them loose on the services. */
  begin: (client: BidmeshClient) => void
}

/** What a bot uses: the services, what is open, and when to stop. */
type World = Pick<BidmeshClient, 'bids' | 'live'> & {
  open: () => Promise<Item[]>
  signal: AbortSignal
  log: Log
}

export function createBots({ count, log, pace = usualPace }: BotsOptions): Bots {
  const stop = new AbortController()
  let lives: Promise<unknown> = Promise.resolve()
  const begin = ({ bids, live }: BidmeshClient): void => {
    const { signal } = stop
    const world = { bids, live, open: sharedView(bids), signal, log }
    const names = Array.from({ length: count }, (_, index) => botName(index))
    const repeat = (turn: () => Promise<void>) => keepTurning(world, pace, turn)
    const turns = names.map((name) => () => takeTurn(name, world))
    if (count > 0) turns.push(() => restock(names, world))
    lives = Promise.all(turns.map(repeat))
  }
  const component: Component = {
    name: 'bots',
    services: [],
    routes: () => undefined,
    drain: () => stop.abort(),
    check: async () => undefined,
    stop: async () => {
      stop.abort()
      await lives
    },
  }
  return { component, begin }
}

/** Turn after turn with a rest before each, until the end; never rejects. */
async function keepTurning(
  { signal, log }: World,
  { leastMs, mostMs }: { leastMs: number; mostMs: number },
  turn: () => Promise<void>,
): Promise<void> {
  // At first as if in the middle of a rest: they do not all come at once, nor all late.
  let restMs = Math.random() * mostMs
  while (!signal.aborted) {
    try {
      await sleep(restMs, undefined, { signal })
      await turn()
    } catch (error) {
      // Mostly rejections: somebody else was quicker.
      if (!signal.aborted) log.debug({ reason: messageOf(error) }, 'a bot lost its turn')
    }
    restMs = leastMs + Math.random() * (mostMs - leastMs)
  }
}

async function takeTurn(name: string, { bids, live, open }: World): Promise<void> {
  const items = await open()
  if (Math.random() < CHAT_SHARE) {
    const item = pickByUrgency(items, Date.now(), Math.random)
    const text = pick(botLines, Math.random)
    if (item) await live.sendChatMessage({ itemId: item.id, userId: name, text })
    return
  }
  const bid = decideBotBid(name, items, Date.now(), Math.random)
  if (bid) await bids.placeBid({ ...bid, userId: name })
}

/** Puts an item up when too few end soon. */
async function restock(names: readonly string[], { bids }: World): Promise<void> {
  const nowMs = Date.now()
  const items = await listOpen(bids)
  const soon = items.filter((item) => leftMs(item, nowMs) < SOON_MS)
  const share = Math.ceil(names.length / BOTS_PER_SOON_ITEM)
  if (soon.length >= Math.min(SOON_ITEMS_MOST, Math.max(SOON_ITEMS_LEAST, share))) return
  const runMs = RUN_LEAST_MS + Math.random() * (RUN_MOST_MS - RUN_LEAST_MS)
  const endAt = timestampFromMs(Math.round(nowMs + runMs))
  const sellerId = pick(names, Math.random)
  await bids.createItem({ ...newBotItem(Math.random), currency: 'EUR', endAt, sellerId })
}

/** What is open; asked for at most once in {@link VIEW_SHARED_MS}. */
function sharedView(bids: World['bids']): () => Promise<Item[]> {
  let view: Promise<Item[]> = Promise.resolve([])
  let askedMs = -Infinity
  return async () => {
    if (performance.now() - askedMs > VIEW_SHARED_MS) {
      askedMs = performance.now()
      view = listOpen(bids)
    }
    return await view
  }
}

/** Soonest end first. */
async function listOpen(bids: World['bids']): Promise<Item[]> {
  const asked = { status: ItemStatus.ACTIVE, orderBy: OrderBy.ENDING_SOON, pageSize: PAGE_SIZE }
  const { items } = await bids.listItems(asked)
  return items
}
