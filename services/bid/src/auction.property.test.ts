/**
 * Random bids, clocks and keys against a model that knows the rules in another way: a list of accepted
 * bids. Holds I1 (each acknowledged bid once), I2 (gapless, rising), I3 (a replay gives the same head) and I7
 * (versions 1, 2, 3 …).
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Bid,
  closeItem,
  decideBid,
  type Head,
  minimumNextBid,
  openItem,
  type PlacedBid,
  refuseEarly,
} from './auction.ts'

const START = 1_000_000
const LENGTH = 100_000

type Step = Bid & { key: string; waitMs: number; close: boolean }

const steps = fc.array(
  fc.record<Step>({
    userId: fc.constantFrom('ann', 'bob', 'cem', 'seller'),
    amount: fc.bigInt({ min: 1n, max: 2_000n }),
    key: fc.constantFrom('', '', 'k1', 'k2', 'k3'),
    waitMs: fc.integer({ min: 0, max: 12_000 }),
    close: fc.boolean(),
  }),
  { maxLength: 60 },
)

const auctions = fc.record({
  startPrice: fc.bigInt({ min: 1n, max: 500n }),
  minIncrement: fc.constantFrom(0n, 1n, 50n),
  startsInMs: fc.integer({ min: 0, max: 20_000 }),
  softClose: fc.record({
    windowMs: fc.integer({ min: 1_000, max: 60_000 }),
    extensionMs: fc.integer({ min: 1_000, max: 60_000 }),
    maxExtensions: fc.integer({ min: 0, max: 4 }),
  }),
})

it('keeps the invariants over any course of an auction', () => {
  fc.assert(
    fc.property(auctions, steps, (auction, course) => {
      const first = newHead(auction)
      const { head, accepted, versions, oldHeads } = play(first, course)

      // I2
      expect(accepted.map((bid) => bid.sequence)).toEqual(accepted.map((_, n) => BigInt(n + 1)))
      for (const [n, bid] of accepted.entries()) {
        if (n > 0) expect(bid.amount).toBeGreaterThan((accepted[n - 1] as PlacedBid).amount)
        expect(bid.userId).not.toBe('seller')
        expect(bid.createdAtMs).toBeGreaterThanOrEqual(first.startAtMs)
        expect(bid.createdAtMs).toBeLessThan(first.endAtMs + extensionsMs(first))
      }
      // I7
      expect(versions).toEqual(versions.map((_, n) => BigInt(n + 1)))
      expect(versions.at(-1)).toBe(head.version)
      // The winner is the highest bidder of the list, whatever the head went through.
      const last = accepted.at(-1)
      expect(head.highestBidderId).toBe(last?.userId ?? '')
      expect(head.currentHighestBid).toBe(last?.amount ?? 0n)
      expect(head.extensionCount).toBeLessThanOrEqual(auction.softClose.maxExtensions)
      // I3: closing and opening without a bid are not in the list.
      const unsettled = { status: '', outcome: '', version: 0n }
      expect({ ...head, ...unsettled }).toEqual({ ...replay(first, accepted), ...unsettled })
      // What an old head refuses, the latest refuses as well: early answers never lie.
      for (const old of oldHeads) {
        for (const bid of course) {
          if (!refuseEarly(old, bid, old.startAtMs)) continue
          expect(decideBid(head, bid, head.endAtMs - 1).kind).toBe('refused')
        }
      }
    }),
    { numRuns: 400 },
  )
})

function newHead(auction: {
  startPrice: bigint
  minIncrement: bigint
  startsInMs: number
  softClose: Head['softClose']
}): Head {
  return {
    itemId: 'item',
    sellerId: 'seller',
    currency: 'USD',
    status: auction.startsInMs > 0 ? 'scheduled' : 'active',
    startPrice: auction.startPrice,
    minIncrement: auction.minIncrement,
    startAtMs: START + auction.startsInMs,
    endAtMs: START + auction.startsInMs + LENGTH,
    softClose: auction.softClose,
    extensionCount: 0,
    currentHighestBid: 0n,
    highestBidderId: '',
    sequence: 0n,
    outcome: null,
    version: 1n,
  }
}

function extensionsMs(head: Head): number {
  return head.softClose.maxExtensions * head.softClose.extensionMs
}

function play(first: Head, course: readonly Step[]) {
  let head = first
  let nowMs = START
  const accepted: PlacedBid[] = []
  const versions = [head.version]
  const keys = new Map<string, PlacedBid>()
  const oldHeads: Head[] = []
  for (const step of course) {
    nowMs += step.waitMs
    const key = step.key && `${step.userId}/${step.key}`
    const earlier = keys.get(key)
    const decision = decideBid(head, step, nowMs, earlier)
    if (decision.kind === 'repeated') {
      // I1: a repeat is the bid in the list, never a second one.
      expect(accepted.filter((bid) => bid.id === decision.bid.id)).toEqual([earlier])
      expect(step.amount).toBe(earlier?.amount)
    } else if (decision.kind === 'accepted') {
      expect(earlier).toBeUndefined()
      expect(step.amount).toBeGreaterThanOrEqual(minimumNextBid(head))
      oldHeads.push(head)
      if (decision.opened) versions.push(decision.opened.version)
      head = decision.head
      versions.push(head.version)
      const { sequence } = head
      const bid = { ...step, id: `b${sequence}`, itemId: 'item', sequence, createdAtMs: nowMs }
      accepted.push(bid)
      if (key) keys.set(key, bid)
    }
    // The auctioneer comes by.
    const settled = step.close ? (openItem(head, nowMs) ?? closeItem(head, nowMs)) : undefined
    if (settled) versions.push(settled.version)
    head = settled ?? head
  }
  return { head, accepted, versions, oldHeads }
}

function replay(first: Head, bids: readonly PlacedBid[]): Head {
  return bids.reduce((head, bid) => {
    const decision = decideBid(head, bid, bid.createdAtMs)
    if (decision.kind !== 'accepted') throw new Error(`bid ${bid.id} was accepted once`)
    return decision.head
  }, first)
}
