import { describe, expect, it } from 'vitest'
import type { AuctionState } from './auction-state.ts'
import type { Command } from './commands.ts'
import { decide, decideCreation, minimumNextBid, rejectStale } from './decide.ts'
import type { Change } from './events.ts'
import { evolve } from './evolve.ts'

const START = Date.UTC(2026, 0, 1)
const END = START + 3_600_000
const MIDWAY = START + 1_800_000

function item(changes: Partial<AuctionState> = {}): AuctionState {
  return {
    itemId: 'item',
    sellerId: 'seller',
    currency: 'USD',
    format: 'english',
    status: 'active',
    startPrice: 100n,
    minIncrement: 0n,
    startAtMs: START,
    endAtMs: END,
    softClose: { windowMs: 30_000, extensionMs: 20_000, maxExtensions: 2 },
    extensionCount: 0,
    currentHighestBid: 0n,
    highestBidderId: '',
    sequence: 0n,
    outcome: null,
    version: 1n,
    ...changes,
  }
}

const led = { currentHighestBid: 100n, highestBidderId: 'ann', sequence: 1n }
/** What a command comes to: its events and the state they make, or why it is rejected. */
function carryOut(state: AuctionState, command: Command, nowMs: number) {
  const { events, rejection } = decide(state, command, nowMs)
  if (rejection) return { rejection }
  return { events, state: events.reduce<AuctionState>(evolve, state) }
}

function bid(state: AuctionState, userId: string, amount: bigint, nowMs: number) {
  return carryOut(state, { kind: 'place_bid', userId, amount }, nowMs)
}

const types = (events: readonly Change[] | undefined) => events?.map(({ type }) => type)

describe('minimum next bid', () => {
  it.each([
    [0n, 100n],
    [1n, 6n],
    [99n, 104n],
    [100n, 125n],
    [499n, 524n],
    [500n, 550n],
    [2_499n, 2_549n],
    [2_500n, 2_600n],
    [9_999n, 10_099n],
    [10_000n, 10_250n],
    [24_999n, 25_249n],
    [25_000n, 25_500n],
    [49_999n, 50_499n],
    [50_000n, 51_000n],
    [99_999n, 100_999n],
    [100_000n, 102_500n],
    [249_999n, 252_499n],
    [250_000n, 255_000n],
    [499_999n, 504_999n],
    [500_000n, 510_000n],
    [1_000_000_000n, 1_000_010_000n],
  ])('after a highest bid of %d it is %d', (price, minimum) => {
    const sequence = price === 0n ? 0n : 1n
    expect(minimumNextBid(item({ currentHighestBid: price, sequence }))).toBe(minimum)
  })

  it("adds the item's own increment instead, when it has one", () => {
    expect(minimumNextBid(item({ ...led, minIncrement: 7n }))).toBe(107n)
  })
})

describe('a bid is rejected', () => {
  it.each([
    ['too_low', 'below the start price', item(), { amount: 99n }, MIDWAY],
    ['too_low', 'below price + increment', item(led), { amount: 124n }, MIDWAY],
    ['too_low', 'equal to the highest', item(led), { amount: 100n }, MIDWAY],
    ['not_started', '1 ms before the start', item({ status: 'scheduled' }), {}, START - 1],
    ['ended', 'at the very end', item(), {}, END],
    ['ended', 'after the end, though nobody closed the item', item(), {}, END + 1],
    ['ended', 'once closed', item({ status: 'ended', outcome: 'unsold' }), {}, MIDWAY],
    ['cancelled', 'once cancelled, even after the end', item({ status: 'cancelled' }), {}, END + 1],
    ['own_item', 'from the seller', item(), { userId: 'seller' }, MIDWAY],
  ] as const)('%s: %s', (rejection, _when, before, given, nowMs) => {
    const { userId, amount } = { userId: 'bob', amount: 100n, ...given }
    expect(bid(before, userId, amount, nowMs)).toEqual({ rejection })
  })
})

describe('a bid is accepted', () => {
  it.each([
    ['at the start price', item(), 100n, 'bob', START],
    ['exactly at the minimum', item(led), 125n, 'bob', MIDWAY],
    ['in the last millisecond', item(), 100n, 'bob', END - 1],
    ['from the leader, raising their own bid', item(led), 200n, 'ann', MIDWAY],
  ])('%s', (_when, before, amount, userId, nowMs) => {
    const { events, state } = bid(before, userId, amount, nowMs)
    expect(types(events)).toEqual(['bid_placed'])
    expect(state).toMatchObject({
      status: 'active',
      currentHighestBid: amount,
      highestBidderId: userId,
      sequence: before.sequence + 1n,
      version: before.version + 1n,
    })
  })

  it('opens a scheduled item whose time has come before the auctioneer did', () => {
    const { events, state } = bid(item({ status: 'scheduled' }), 'b', 100n, START)
    expect(types(events)).toEqual(['opened', 'bid_placed'])
    expect(events?.map(({ version }) => version)).toEqual([2n, 3n])
    expect(state).toMatchObject({
      status: 'active',
      sequence: 1n,
      currentHighestBid: 100n,
      highestBidderId: 'b',
      version: 3n,
    })
  })
})

describe('soft close', () => {
  it.each([
    ['outside the window', END - 30_001, 0, false],
    ['at the edge of the window', END - 30_000, 0, true],
    ['in the last millisecond', END - 1, 1, true],
    ['when the extensions are used up', END - 1, 2, false],
  ])('%s', (_when, nowMs, extensionCount, extended) => {
    const { events, state } = bid(item({ extensionCount }), 'b', 100n, nowMs)
    expect(events).toMatchObject([{ extended, endAtMs: END + (extended ? 20_000 : 0) }])
    expect(state).toMatchObject({
      endAtMs: END + (extended ? 20_000 : 0),
      extensionCount: extensionCount + (extended ? 1 : 0),
    })
  })

  it.each([
    ['not for a leader who raises their own bid', 'ann', false],
    ['for whoever outbids the leader', 'bob', true],
  ])('moves the end %s', (_who, userId, extended) => {
    expect(bid(item(led), userId, 500n, END - 1).events).toMatchObject([{ extended }])
  })

  it('is off with 0 extensions', () => {
    const softClose = { windowMs: 30_000, extensionMs: 30_000, maxExtensions: 0 }
    const { events, state } = bid(item({ softClose }), 'b', 100n, END - 1)
    expect(events).toMatchObject([{ extended: false }])
    expect(state?.endAtMs).toBe(END)
  })
})

describe('an answer from an old state', () => {
  const low = { userId: 'bob', amount: 100n }
  it.each([
    ['too low', item(led), low, MIDWAY, 'too_low'],
    ['own item', item(led), { userId: 'seller', amount: 900n }, MIDWAY, 'own_item'],
    ['cancelled', item({ status: 'cancelled' }), low, END + 1, 'cancelled'],
    ['high enough: never accepts', item(led), { ...low, amount: 125n }, MIDWAY, undefined],
    ['near the end: the database says why', item(led), low, END - 2_000, undefined],
    ['after the end: the database says why', item(led), low, END + 1, undefined],
    ['not open yet: the database says why', item({ status: 'scheduled' }), low, MIDWAY, undefined],
  ] as const)('%s', (_when, old, given, nowMs, rejection) => {
    expect(rejectStale(old, { kind: 'place_bid', ...given }, nowMs)).toBe(rejection)
  })
})

describe('settling', () => {
  const settle = (state: AuctionState, nowMs: number) => carryOut(state, { kind: 'settle' }, nowMs)
  const scheduled = item({ status: 'scheduled' })
  it.each([
    ['before its end', item(led), END - 1, [], {}],
    ['with bids', item(led), END, ['ended'], { status: 'ended', outcome: 'sold' }],
    ['without bids', item(), END, ['ended'], { status: 'ended', outcome: 'unsold' }],
    ['a second time', item({ status: 'ended', outcome: 'sold' }), END, [], {}],
    ['cancelled', item({ status: 'cancelled' }), END, [], {}],
    ['before its start', scheduled, START - 1, [], {}],
    ['at its start', scheduled, START, ['opened'], { status: 'active' }],
    ['once open', item(), START, [], {}],
    ['late for both', scheduled, END, ['opened', 'ended'], { status: 'ended', outcome: 'unsold' }],
  ] as const)('an item %s', (_when, before, nowMs, happened, changes) => {
    const { events, state } = settle(before, nowMs)
    expect(types(events)).toEqual(happened)
    const version = before.version + BigInt(happened.length)
    expect(state).toEqual({ ...before, ...changes, version })
  })
})

describe('cancelling and editing', () => {
  const seller = { userId: 'seller', operator: false }
  const operator = { userId: 'op', operator: true }
  const stranger = { userId: 'x', operator: false }
  it.each([
    ['by the seller, without bids', item(), seller, MIDWAY, undefined],
    [
      'by the seller, before the start',
      item({ status: 'scheduled' }),
      seller,
      START - 1,
      undefined,
    ],
    ['by the seller, with bids', item(led), seller, MIDWAY, 'has_bids'],
    ['by an operator, with bids', item(led), operator, MIDWAY, undefined],
    ['by a stranger', item(), stranger, MIDWAY, 'not_seller'],
    ['after the end', item(), seller, END, 'ended'],
    ['twice', item({ status: 'cancelled' }), seller, MIDWAY, 'cancelled'],
  ] as const)('cancelling %s: %s', (_when, before, by, nowMs, rejection) => {
    const result = carryOut(before, { kind: 'cancel', by, reason: 'broken' }, nowMs)
    if (rejection) expect(result).toEqual({ rejection })
    else {
      expect(result.events).toEqual([
        { type: 'cancelled', version: 2n, atMs: nowMs, reason: 'broken' },
      ])
      expect(result.state).toEqual({ ...before, status: 'cancelled', version: 2n })
    }
  })

  it.each([
    ['with bids', item(led), seller, MIDWAY, undefined],
    ['by a stranger', item(), stranger, MIDWAY, 'not_seller'],
    ['after the end', item(), seller, END, 'ended'],
    ['when cancelled', item({ status: 'cancelled' }), seller, MIDWAY, 'cancelled'],
  ] as const)('editing %s: %s', (_when, before, by, nowMs, rejection) => {
    const result = carryOut(before, { kind: 'edit', by, texts: { title: 'Lamp' } }, nowMs)
    if (rejection) expect(result).toEqual({ rejection })
    else expect(result.state).toEqual({ ...before, version: 2n })
  })
})

describe('putting an item up', () => {
  it.each([
    ['in order', START, END, undefined],
    ['end in the past', START - 2, START - 1, 'end_at must be in the future'],
    ['end before start', END + 1, END, 'end_at must be after start_at'],
    [
      'too long',
      START,
      START + 367 * 86_400_000,
      'end_at must be at most 366 days after the start',
    ],
  ])('%s', (_what, startAtMs, endAtMs, fault) => {
    expect(decideCreation({ ...item(), startAtMs, endAtMs }, START).fault).toBe(fault)
  })
})

it('no state takes an event that is not its next', () => {
  expect(() => evolve(item(), { type: 'opened', version: 3n, atMs: START })).toThrow('event 3')
})
