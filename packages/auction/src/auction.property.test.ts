/**
 * Any course of an auction, by the production rules: what `decide` lets happen keeps the invariants, an independent
 * list of accepted bids says the same as the state, and a history that somebody has tampered with is found out.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AuctionState, SoftClose } from './auction-state.ts'
import { checkHistory } from './check-history.ts'
import type { Command, PlaceBid } from './commands.ts'
import { decide, decideCreation, minimumNextBid, rejectStale } from './decide.ts'
import type { AuctionEvent, BidPlaced } from './events.ts'
import { created, evolve } from './evolve.ts'

const START = 1_000_000
const LENGTH = 100_000

type Step = { command: Command; waitMs: number }

const bids = fc.record<PlaceBid>({
  kind: fc.constant('place_bid'),
  userId: fc.constantFrom('ann', 'bob', 'cem', 'seller'),
  amount: fc.bigInt({ min: 1n, max: 2_000n }),
})
const callers = fc.record({ userId: fc.constantFrom('seller', 'ann'), operator: fc.boolean() })
const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: bids },
  { weight: 3, arbitrary: fc.constant({ kind: 'settle' } as const) },
  {
    weight: 2,
    arbitrary: callers.map((by) => ({ kind: 'edit', by, texts: { title: 'Lamp' } }) as const),
  },
  { weight: 1, arbitrary: callers.map((by) => ({ kind: 'cancel', by, reason: '' }) as const) },
  { weight: 1, arbitrary: callers.map((by) => ({ kind: 'end_now', by }) as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('extend' as const),
      by: callers,
      endAtMs: fc.integer({ min: START, max: START + 4 * LENGTH }),
      reason: fc.constant(''),
    }),
  },
)
const courses = fc.array(
  fc.record<Step>({ command: commands, waitMs: fc.integer({ min: 0, max: 12_000 }) }),
  { maxLength: 60 },
)
const auctions = fc.record({
  startPrice: fc.bigInt({ min: 1n, max: 500n }),
  minIncrement: fc.constantFrom(0n, 1n, 50n),
  startsInMs: fc.integer({ min: 0, max: 20_000 }),
  softClose: fc
    .record({
      mode: fc.constantFrom('add' as const, 'reset' as const),
      windowMs: fc.integer({ min: 1_000, max: 60_000 }),
      moreMs: fc.integer({ min: 0, max: 30_000 }),
      maxExtensions: fc.integer({ min: 0, max: 4 }),
      maxTotalMs: fc.constantFrom(0, 1, 40_000),
    })
    .map(({ moreMs, ...soft }): SoftClose => ({ ...soft, extensionMs: soft.windowMs + moreMs })),
})

it('keeps the invariants over any course', () => {
  fc.assert(
    fc.property(auctions, courses, (auction, course) => {
      const { history, state, states } = play(auction, course)
      // I2, I3, I7
      expect(checkHistory(history)).toEqual({ state, faults: [] })
      expect(history.map(({ version }) => version)).toEqual(
        history.map((_, index) => BigInt(index + 1)),
      )
      // The winner is the last of the list, whatever the state went through.
      const accepted = history.filter((event) => event.type === 'bid_placed')
      expect(accepted.map(({ sequence }) => sequence)).toEqual(
        accepted.map((_, index) => BigInt(index + 1)),
      )
      for (const [index, bid] of accepted.entries()) {
        if (index > 0) expect(bid.amount).toBeGreaterThan((accepted[index - 1] as BidPlaced).amount)
        expect(bid.userId).not.toBe('seller')
        expect(bid.atMs).toBeGreaterThanOrEqual(state.startAtMs)
        expect(bid.atMs).toBeLessThan(state.endAtMs)
      }
      const last = accepted.at(-1)
      expect(state.highestBidderId).toBe(last?.userId ?? '')
      expect(state.currentHighestBid).toBe(last?.amount ?? 0n)
      expectSoftCloseWithin(state, history)
      expectStaleAnswersHold(states, state, course)
    }),
    { numRuns: 400 },
  )
})

it('finds out whoever changes a history', () => {
  const tampering = fc.constantFrom('dropped', 'repeated', 'dearer', 'renumbered')
  fc.assert(
    fc.property(auctions, courses, tampering, fc.nat(), (auction, course, how, place) => {
      const { history } = play(auction, course)
      const index = 1 + (place % Math.max(1, history.length - 1))
      const event = history[index]
      // The last one may be missing: nothing in a history says how long it is.
      if (!event || (how === 'dropped' && index === history.length - 1)) return
      const changed = tamper(event, how)
      if (!changed) return
      const { faults } = checkHistory(history.toSpliced(index, 1, ...changed))
      expect(faults).not.toEqual([])
    }),
    { numRuns: 400 },
  )
})

/** What stands in its place; undefined where that changes nothing that is wrong. */
function tamper(event: AuctionEvent, how: string): AuctionEvent[] | undefined {
  if (how === 'dropped') return []
  if (how === 'repeated') return [event, event]
  if (how === 'renumbered') return [{ ...event, version: event.version + 1n }]
  // The first bid may cost what it likes; a bid of 0 none may.
  return event.type === 'bid_placed' ? [{ ...event, amount: 0n }] : undefined
}

/** No more moves of the end than there may be, none by who leads already, and none beyond the longest time. */
function expectSoftCloseWithin(state: AuctionState, history: readonly AuctionEvent[]): void {
  const { maxExtensions, maxTotalMs, mode } = state.softClose
  const unlimited = mode === 'reset' && maxExtensions === 0
  expect(state.extensionCount).toBeLessThanOrEqual(unlimited ? Infinity : maxExtensions)
  const latestMs = maxTotalMs === 0 ? Infinity : state.originalEndAtMs + maxTotalMs
  expect(state.endAtMs).toBeLessThanOrEqual(latestMs)
  let leader = ''
  for (const event of history) {
    if (event.type !== 'bid_placed') continue
    if (event.userId === leader) expect(event.extended).toBe(false)
    leader = event.userId
  }
}

/** What an old state rejects, every later one rejects as well: early answers never lie. */
function expectStaleAnswersHold(
  states: readonly AuctionState[],
  latest: AuctionState,
  course: readonly Step[],
): void {
  for (const old of states) {
    for (const { command } of course) {
      if (command.kind !== 'place_bid' || !rejectStale(old, command, old.startAtMs)) continue
      expect(decide(latest, command, latest.endAtMs - 1).rejection).toBeDefined()
    }
  }
}

type Auction = {
  startPrice: bigint
  minIncrement: bigint
  startsInMs: number
  softClose: SoftClose
}

function play({ startsInMs, ...auction }: Auction, course: readonly Step[]) {
  const startAtMs = START + startsInMs
  const times = { startAtMs, endAtMs: startAtMs + LENGTH }
  const who = { itemId: 'item', sellerId: 'seller', currency: 'USD', format: 'english' } as const
  const { event: creation, fault } = decideCreation({ ...who, ...auction, ...times }, START)
  if (!creation) throw new Error(fault)
  let state = created(creation)
  let nowMs = START
  const history: AuctionEvent[] = [creation]
  const states = [state]
  for (const { command, waitMs } of course) {
    nowMs += waitMs
    const minimum = minimumNextBid(state)
    const { events = [] } = decide(state, command, nowMs)
    if (command.kind === 'place_bid' && events.length > 0) {
      expect(command.amount).toBeGreaterThanOrEqual(minimum)
    }
    for (const event of events) {
      state = evolve(state, event)
      history.push(event)
      states.push(state)
    }
  }
  return { history, state, states }
}
