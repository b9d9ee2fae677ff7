/**
 * A steady trickle of bids while viewers watch: one every few milliseconds, over all items and bid processes
 * in turn, each timed. Nothing that happens to viewers excuses a bid that is not decided.
 */
import { performance } from 'node:perf_hooks'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { answerLimitMs, postBid } from '../post-bid.ts'

export type TrickleOptions = {
  /** Bid processes. */
  urls: readonly string[]
  /** Active items with an increment of 1 and without bids. */
  itemIds: readonly string[]
  /** Bidders, in turn. */
  userIds: readonly string[]
  /** Least amount of a first bid, minor units. */
  startPrice: number
  /** From one bid to the next, decided or not. */
  intervalMs: number
}

/** From the first byte to the last. */
export type BidTime = {
  bidMs: number
  /** What the same process took right before to say that it lives: more than a few ms are the machine's. */
  controlMs: number
}

export type Trickle = {
  /** Acknowledged bids so far. */
  ledger: LedgerEntry[]
  /** Bids that were not decided. */
  failures: string[]
  /** Of the bids accepted since the last call. */
  takeTimes: () => BidTime[]
  go: () => void
  /** Resolves when the bids under way are decided. */
  pause: () => Promise<void>
}

/** Begins paused. */
export function trickleBids(options: TrickleOptions): Trickle {
  const { urls, itemIds, userIds } = options
  const nextBids = new Map(itemIds.map((id) => [id, options.startPrice]))
  const ledger: LedgerEntry[] = []
  const failures: string[] = []
  const times: BidTime[] = []
  const underWay = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let bids = 0

  async function bid(index: number): Promise<void> {
    const itemId = itemIds[index % itemIds.length] ?? ''
    const userId = userIds[index % userIds.length] ?? ''
    // Items come round with even steps: the processes change with each round too.
    const url = urls[(index + Math.floor(index / itemIds.length)) % urls.length] ?? ''
    const askedAtMs = performance.now()
    await (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(answerLimitMs) })).text()
    const controlMs = performance.now() - askedAtMs
    const amount = nextBids.get(itemId) ?? 0
    const startedAtMs = performance.now()
    const answer = await postBid(url, { itemId, userId, amount })
    if (answer.kind === 'failed') {
      failures.push(`${answer.code} from ${url}`)
      return
    }
    nextBids.set(itemId, Math.max(nextBids.get(itemId) ?? 0, answer.minimumNextBid))
    // Two bids on one item have met, and the second was too low.
    if (answer.kind === 'rejected') return
    times.push({ bidMs: performance.now() - startedAtMs, controlMs })
    const { bidId, sequence } = answer
    ledger.push({ bidId, itemId, userId, amount: BigInt(amount), sequence })
  }

  function next(): void {
    const deciding = bid(bids).catch((error: unknown) => void failures.push(messageOf(error)))
    bids += 1
    underWay.add(deciding)
    void deciding.finally(() => underWay.delete(deciding))
  }

  return {
    ledger,
    failures,
    takeTimes: () => times.splice(0),
    go: () => {
      clearInterval(timer)
      timer = setInterval(next, options.intervalMs)
    },
    pause: async () => {
      clearInterval(timer)
      await Promise.all(underWay)
    },
  }
}
