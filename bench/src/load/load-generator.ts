/**
 * The bidders. Each has a connection of its own and at most one bid in flight, aims just above the last
 * price it saw, learns from every answer, and writes each acknowledgement into a ledger. Every target
 * meets the same bidders; what they may know of each other is an option, because it decides how many
 * bids can be accepted at all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type BidAnswer, bidRequest, placeBidPath, readBidAnswer } from './bid-call.ts'
import { cpuBetween, type CpuSeconds, type Measured, readCpuSeconds } from '../report/cpu-time.ts'
import { createFreshnessProbe, type Freshness } from '../scenarios/freshness-probe.ts'
import { type HttpConnection, openHttpConnection } from './http-connection.ts'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { percentile } from '../report/percentile.ts'

/** Fixed increment of the bench's items, minor units: prices stay small however long it runs. */
export const INCREMENT_MINOR = 1

/** A bidder whose connection broke tries again after this: a server that is down needs no storm. */
const reconnectMs = 100

/** Resolution of the open loop: arrivals of one tick leave together. */
const arrivalTickMs = 2

export type LoadOptions = {
  /** Of one process, or of several that share the bidders evenly. */
  urls: readonly string[]
  /** Each bid goes to a random one. `nextBid` is what a bid must be at least as far as known, minor units. */
  items: readonly { id: string; nextBid: number }[]
  /** Connections, each a bidder (1–1,000). */
  bidders: number
  /**
   * `shared`: bidders see each other's bids the moment they are made, as everybody in one room does, and
   * bid above them; few bids are in vain. `own`: a bidder knows only the answers to its own bids; of a
   * crowd that saw the same price one is accepted.
   */
  sight: 'shared' | 'own'
  /** Bids before the figures count; in the ledger all the same. */
  warmUpMs: number
  measureMs: number
  /** Bids arrive at this rate whatever the answers do (open loop); absent: as fast as answers allow. */
  ratePerSecond?: number
  /** Processes whose CPU time is read at both ends of the measurement. */
  cpuOf?: Measured
  /** Follows every `everyNth` accepted bid until the statistics show it. */
  freshness?: { statsUrl: string; everyNth: number }
}

export type LoadResult = {
  measuredMs: number
  accepted: number
  /** Decided against, by reason. */
  rejected: Record<string, number>
  /** Not decided, by code. */
  failed: Record<string, number>
  /** Of all answers, from the moment the bid was due. */
  latency: { p50Ms: number; p99Ms: number }
  cpuSeconds: CpuSeconds
  /** Per item, for the next run on the same items. */
  nextBids: number[]
  ledger: LedgerEntry[]
  freshness: Freshness | undefined
}

type Tally = Pick<LoadResult, 'accepted' | 'rejected' | 'failed'> & { latenciesMs: number[] }

type Bidder = {
  userId: string
  url: string
  nextBids: Float64Array
  connection: HttpConnection | undefined
  /** The bid in flight. */
  bid: { item: number; userId: string; amount: number; dueMs: number } | undefined
}

/** Runs one load and resolves when its last bid is answered. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  let tally = newTally()
  const ledger: LedgerEntry[] = []
  const probe = options.freshness && createFreshnessProbe(options.freshness.statsUrl)
  const crowd = gatherCrowd(options, (bid, answer) => {
    const nowMs = performance.now()
    tally.latenciesMs.push(nowMs - bid.dueMs)
    count(tally, answer)
    if (answer.kind !== 'accepted') return
    const { bidId, sequence } = answer
    const itemId = options.items[bid.item]?.id ?? ''
    ledger.push({ bidId, itemId, userId: bid.userId, amount: BigInt(bid.amount), sequence })
    if (isSampled(bid.userId)) probe?.watch(bid.userId, answer.createdAt, bid.dueMs)
  })
  await sleep(options.warmUpMs)
  const cpuBefore = await readCpuSeconds(options.cpuOf)
  const startedMs = performance.now()
  tally = newTally()
  await sleep(options.measureMs)
  const measured = tally
  const measuredMs = performance.now() - startedMs
  tally = newTally()
  const cpuAfter = await readCpuSeconds(options.cpuOf)
  await crowd.leave()
  const { latenciesMs, ...counts } = measured
  return {
    ...counts,
    measuredMs,
    latency: { p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99) },
    cpuSeconds: cpuBetween(cpuBefore, cpuAfter),
    nextBids: crowd.nextBids(),
    ledger,
    freshness: await probe?.finish(),
  }
}

function newTally(): Tally {
  return { accepted: 0, rejected: {}, failed: {}, latenciesMs: [] }
}

function count(tally: Tally, answer: BidAnswer): void {
  if (answer.kind === 'accepted') tally.accepted += 1
  else if (answer.kind === 'rejected') {
    tally.rejected[answer.reason] = (tally.rejected[answer.reason] ?? 0) + 1
  } else tally.failed[answer.code] = (tally.failed[answer.code] ?? 0) + 1
}

const sampledPrefix = 'sampled-'

/** A sampled bid is the only one of its user, so that one count above zero means this very bid. */
function isSampled(userId: string): boolean {
  return userId.startsWith(sampledPrefix)
}

type Crowd = { leave: () => Promise<void>; nextBids: () => number[] }

type OnAnswer = (bid: NonNullable<Bidder['bid']>, answer: BidAnswer) => void

function gatherCrowd(options: LoadOptions, onAnswer: OnAnswer): Crowd {
  const board = Float64Array.from(options.items, (item) => item.nextBid)
  const boards = [board]
  const bidders: Bidder[] = []
  const pace = options.ratePerSecond ? openLoop(options.ratePerSecond, bidNow) : closedLoop(bidNow)
  const { promise: allAnswered, resolve: resolveAnswered } = Promise.withResolvers<undefined>()
  let leaving = false
  let inFlight = 0
  let sent = 0

  function bidNow(bidder: Bidder, dueMs: number): void {
    const item = Math.floor(Math.random() * options.items.length)
    const amount = bidder.nextBids[item] ?? 0
    if (options.sight === 'shared') bidder.nextBids[item] = amount + INCREMENT_MINOR
    const sampled = options.freshness && sent % options.freshness.everyNth === 0
    const userId = sampled ? `${sampledPrefix}${crypto.randomUUID()}` : bidder.userId
    bidder.bid = { item, userId, amount, dueMs }
    sent += 1
    inFlight += 1
    bidder.connection?.post(placeBidPath, bidRequest(options.items[item]?.id ?? '', userId, amount))
  }

  function settle(bidder: Bidder, answer: BidAnswer): void {
    const { bid } = bidder
    if (bid === undefined) return
    bidder.bid = undefined
    inFlight -= 1
    if (answer.kind !== 'failed') {
      const known = bidder.nextBids[bid.item] ?? 0
      bidder.nextBids[bid.item] = Math.max(known, answer.minimumNextBid)
    }
    onAnswer(bid, answer)
    if (!leaving) pace.ready(bidder)
    else if (inFlight === 0) resolveAnswered(undefined)
  }

  function connectBidder(bidder: Bidder): HttpConnection {
    return openHttpConnection(bidder.url, {
      onAnswer: (status, body) => settle(bidder, readBidAnswer(status, body)),
      onFailure: (reason) => {
        setTimeout(() => {
          if (!leaving) bidder.connection = connectBidder(bidder)
          settle(bidder, { kind: 'failed', code: reason })
        }, reconnectMs)
      },
    })
  }

  for (let index = 0; index < options.bidders; index += 1) {
    const nextBids = options.sight === 'shared' ? board : Float64Array.from(board)
    if (nextBids !== board) boards.push(nextBids)
    const userId = `bidder-${index}`
    const url = options.urls[index % options.urls.length] ?? ''
    const bidder: Bidder = { userId, url, nextBids, bid: undefined, connection: undefined }
    bidder.connection = connectBidder(bidder)
    bidders.push(bidder)
    pace.ready(bidder)
  }

  return {
    async leave() {
      leaving = true
      pace.stop()
      if (inFlight > 0) await allAnswered
      for (const bidder of bidders) bidder.connection?.close()
    },
    nextBids: () =>
      options.items.map((_, item) => Math.max(...boards.map((each) => each[item] ?? 0))),
  }
}

type Pace = { ready: (bidder: Bidder) => void; stop: () => void }
type BidNow = (bidder: Bidder, dueMs: number) => void

function closedLoop(bidNow: BidNow): Pace {
  return { ready: (bidder) => bidNow(bidder, performance.now()), stop: () => undefined }
}

/** A bid that finds no bidder free is sent late, but counts from when it was due. */
function openLoop(ratePerSecond: number, bidNow: BidNow): Pace {
  const idle: Bidder[] = []
  const overdueMs: number[] = []
  const startedMs = performance.now()
  let arrived = 0
  const ticks = setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) / 1_000) * ratePerSecond)
    for (; arrived < due; arrived += 1) {
      const dueMs = startedMs + ((arrived + 1) / ratePerSecond) * 1_000
      const bidder = idle.pop()
      if (bidder) bidNow(bidder, dueMs)
      else overdueMs.push(dueMs)
    }
  }, arrivalTickMs)
  return {
    ready(bidder) {
      const dueMs = overdueMs.shift()
      if (dueMs === undefined) idle.push(bidder)
      else bidNow(bidder, dueMs)
    },
    stop: () => clearInterval(ticks),
  }
}
