/**
 * Bidders that do not give up: each sends one bid after the other, and every bid with its idempotency key
 * again, to the next process, until somebody has decided it. So when a crowd has left, its ledger holds
 * exactly the bids that the database must hold, whatever was killed meanwhile.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BidAnswer } from '@bidmesh/bench/load/bid-call.ts'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { postBid } from '../post-bid.ts'

/** Before the same bid is sent again: whoever is down needs no storm. */
const retryPauseMs = 25
/** Longer than every outage of a test together with its recovery. */
const decisionLimitMs = 90_000
/** One in so many acknowledged bids is sent once more, as after an answer that was lost. */
const repeatOneIn = 20

/** The only answers without a decision that a fault of a service may lead to … */
const undecided = new Set(['unavailable', 'contention', 'overloaded'])
/** … and what a proxy makes of one. */
const undecidedByProxy = new Set(['http_502', 'http_503', 'http_504'])

export type CrowdOptions = {
  /** Bid processes; a bidder starts with one and goes on to the next when it gets no decision. */
  urls: readonly string[]
  /** Active items with an increment of 1 and without bids; each bid goes to a random one. */
  itemIds: readonly string[]
  /** Each with one bid in flight (1–1,000). */
  bidders: number
  /** Least amount of a first bid, minor units. */
  startPrice: number
  /** A bid of each bidder is due every so many ms, and so is its repetition; absent: as fast as answers come. */
  everyMs?: number
  /** There is a proxy in front, such as an ingress. */
  proxied?: boolean
}

export type Crowd = {
  /** Acknowledged bids so far; a bid that was sent twice is in it twice. */
  ledger: LedgerEntry[]
  /** Rejections so far, by reason. */
  refused: Map<string, number>
  /** Answers no fault excuses, e.g. `internal`. */
  surprises: string[]
  /** Bids nobody decided at the first try. */
  retries: () => number
  /** Resolves when every bid under way is decided; rejects when one could not be. */
  leave: () => Promise<void>
}

type Bid = { itemId: string; userId: string; amount: number; idempotencyKey: string }
type Decision = Exclude<BidAnswer, { kind: 'failed' }>

export function gatherCrowd(options: CrowdOptions): Crowd {
  const { itemIds, everyMs = 0, proxied = false } = options
  const nextBids = new Map(itemIds.map((id) => [id, options.startPrice]))
  const ledger: LedgerEntry[] = []
  const refused = new Map<string, number>()
  const surprises: string[] = []
  let retries = 0
  let leaving = false

  /** Sends the bid until it is decided. */
  async function decide(bid: Bid, from: number): Promise<Decision> {
    const deadlineMs = performance.now() + decisionLimitMs
    for (let attempt = 0; ; attempt += 1) {
      const url = options.urls[(from + attempt) % options.urls.length] ?? ''
      const answer = await send(url, bid)
      if (answer.kind !== 'failed') return answer
      retries += 1
      const excused = undecided.has(answer.code) || (proxied && undecidedByProxy.has(answer.code))
      if (answer.code !== 'connection lost' && !excused) {
        surprises.push(`${answer.code} from ${url}`)
      }
      if (performance.now() > deadlineMs) {
        throw new Error(`no decision within ${decisionLimitMs} ms, at last: ${answer.code}`)
      }
      await sleep(Math.max(retryPauseMs, everyMs))
    }
  }

  function note(bid: Bid, decision: Decision): void {
    const known = nextBids.get(bid.itemId) ?? 0
    nextBids.set(bid.itemId, Math.max(known, decision.minimumNextBid))
    if (decision.kind === 'rejected') {
      refused.set(decision.reason, (refused.get(decision.reason) ?? 0) + 1)
      return
    }
    const { bidId, sequence } = decision
    const { itemId, userId } = bid
    ledger.push({ bidId, itemId, userId, amount: BigInt(bid.amount), sequence })
  }

  async function bidAway(index: number): Promise<void> {
    const userId = `bidder-${index}`
    // Evenly spread: at a steady pace they must not come all at once.
    let dueMs = performance.now() + (everyMs * index) / options.bidders
    for (let bids = index; !leaving; bids += 1) {
      if (everyMs > 0) {
        await sleep(Math.max(0, dueMs - performance.now()))
        dueMs = Math.max(dueMs + everyMs, performance.now() - everyMs)
      }
      const itemId = itemIds[Math.floor(Math.random() * itemIds.length)] ?? ''
      const amount = nextBids.get(itemId) ?? 0
      nextBids.set(itemId, amount + 1)
      const bid = { itemId, userId, amount, idempotencyKey: randomUUID() }
      const decision = await decide(bid, bids)
      note(bid, decision)
      if (decision.kind === 'accepted' && bids % repeatOneIn === 0) {
        const again = await decide(bid, bids + 1)
        note(bid, again)
        if (again.kind !== 'accepted') surprises.push(`a repeated bid was ${again.reason}`)
      }
    }
  }

  const bidding = Promise.all(Array.from({ length: options.bidders }, (_, index) => bidAway(index)))
  // Told by `leave`; until then nobody listens.
  bidding.catch(() => undefined)
  return {
    ledger,
    refused,
    surprises,
    retries: () => retries,
    async leave() {
      leaving = true
      await bidding
    },
  }
}

/** One try. A connection that broke before the whole answer had come says nothing about the bid. */
async function send(url: string, bid: Bid): Promise<BidAnswer> {
  try {
    return await postBid(url, bid)
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    if (name === 'TimeoutError') return { kind: 'failed', code: `no answer: ${messageOf(error)}` }
    return { kind: 'failed', code: 'connection lost' }
  }
}
