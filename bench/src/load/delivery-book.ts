/**
 * Who had which bid, and when the last of them had it. Every viewer must get every bid exactly once and in
 * order: what differs from that is a fault (a bid missing, twice or out of order, a snapshot in place of
 * changes, a stream that ends). What must stay true: a bid counts once per viewer, however it came.
 */
import type { StreamMessage } from './stream-decoder.ts'

/** The first few say what is wrong. */
const FAULTS_SHOWN_MAX = 10

export type BidDelivery = {
  sequence: number
  /** By the database's clock, under the item's lock; whole ms. */
  decidedMs: number
  /** Viewers who had it. */
  viewers: number
  /** When the last of them had it, by the clock the book was made with. */
  lastMs: number
}

export type DeliveryReport = {
  /** All bids so far, in order of their first delivery. */
  bids: BidDelivery[]
  faultCount: number
  /** The first few. */
  faults: string[]
}

export type DeliveryBook = {
  /** The page of one viewer. */
  open: (name: string) => ViewerPage
  bid: (sequence: number) => BidDelivery | undefined
  /** Of all bids to all viewers so far. */
  deliveries: () => number
  /** The bid that every viewer is at, or further; 0 without viewers. */
  lowest: () => number
  report: () => DeliveryReport
}

export type ViewerPage = {
  take: (message: StreamMessage) => void
  complain: (what: string) => void
  /** True once the first snapshot is here. */
  hasEntered: () => boolean
  /** The bid it is at; undefined before that. */
  at: () => number | undefined
  /** A new connection: a snapshot may take the place of changes once, but not one of before. */
  reconnected: () => void
}

/** @param now in ms since 1970 */
export function createDeliveryBook(now: () => number): DeliveryBook {
  const bids = new Map<number, BidDelivery>()
  const faults: string[] = []
  const places: (() => number)[] = []
  let faultCount = 0
  let deliveries = 0

  function deliver(sequence: number, decidedMs: number): void {
    let bid = bids.get(sequence)
    if (bid === undefined) {
      bid = { sequence, decidedMs, viewers: 0, lastMs: 0 }
      bids.set(sequence, bid)
    }
    deliveries += 1
    bid.viewers += 1
    bid.lastMs = now()
  }

  function open(name: string): ViewerPage {
    let at: number | undefined
    let mayJump = true
    places.push(() => at ?? 0)

    function complain(what: string): void {
      faultCount += 1
      if (faults.length < FAULTS_SHOWN_MAX) faults.push(`${name}: ${what}`)
    }

    return {
      complain,
      hasEntered: () => at !== undefined,
      at: () => at,
      reconnected: () => (mayJump = true),
      take(message) {
        if (message.kind === 'other') return
        const { kind, sequence } = message
        if (kind === 'snapshot') {
          if (!mayJump || sequence < (at ?? 0))
            complain(`a snapshot of ${sequence} in place of changes after ${at}`)
          mayJump = false
          at = sequence
          return
        }
        const before = at ?? 0
        if (at === undefined) complain(`bid ${sequence} before any snapshot`)
        else if (sequence !== at + 1) complain(`bid ${sequence} after ${at}`)
        if (sequence <= before) return
        at = sequence
        deliver(sequence, message.decidedMs)
      },
    }
  }

  return {
    open,
    bid: (sequence) => bids.get(sequence),
    deliveries: () => deliveries,
    lowest: () => places.reduce((lowest, at) => Math.min(lowest, at()), places.length && Infinity),
    report: () => ({ bids: [...bids.values()], faultCount, faults }),
  }
}
