import { describe, expect, it } from 'vitest'
import { type AuctionState, defaultSoftClose, type SoftClose } from './auction-state.ts'
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
    // As old stores have it: an extension below the window.
    softClose: { ...defaultSoftClose, extensionMs: 20_000, maxExtensions: 2 },
    originalEndAtMs: END,
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
    const softClose = { ...defaultSoftClose, maxExtensions: 0 }
    const { events, state } = bid(item({ softClose }), 'b', 100n, END - 1)
    expect(events).toMatchObject([{ extended: false }])
    expect(state?.endAtMs).toBe(END)
  })
})

const MINUTE = 60_000
const reset: SoftClose = { ...defaultSoftClose, mode: 'reset', maxExtensions: 0 }

describe('soft close of houses: bids in minutes around the end, and where each leaves it', () => {
  it.each<[string, Partial<SoftClose>, [bidAt: number, endsAt: number][]]>([
    ['RESET 2 min', { ...reset, windowMs: 2 * MINUTE }, [[-1.5, 0.5]]],
    [
      'RESET 3 min',
      { ...reset, windowMs: 3 * MINUTE },
      [
        [-2, 1],
        [0, 3],
      ],
    ],
    ['ADD 5 min', { windowMs: 5 * MINUTE, extensionMs: 5 * MINUTE }, [[-3, 5]]],
    [
      'RESET 15 min, 60 min in all',
      { ...reset, windowMs: 15 * MINUTE, maxTotalMs: 60 * MINUTE },
      [
        [-1, 14],
        [13, 28],
        [27, 42],
        [41, 56],
        [50, 60],
        [59, 60],
      ],
    ],
    [
      'RESET 3 min, once',
      { ...reset, windowMs: 3 * MINUTE, maxExtensions: 1 },
      [
        [-2, 1],
        [0, 1],
      ],
    ],
    [
      'ADD 5 min, 7 min in all',
      { windowMs: 5 * MINUTE, extensionMs: 5 * MINUTE, maxTotalMs: 7 * MINUTE },
      [
        [-3, 5],
        [4, 7],
        [6, 7],
      ],
    ],
    ['RESET at the edge of the window', { ...reset, windowMs: 3 * MINUTE }, [[-3, 0]]],
  ])('%s', (_what, softClose, bids) => {
    let state = item({ softClose: { ...defaultSoftClose, ...softClose } })
    let moved = 0
    for (const [index, [bidAt, endsAt]] of bids.entries()) {
      const before = state.endAtMs
      const amount = minimumNextBid(state)
      const placed = bid(state, index % 2 ? 'ann' : 'bob', amount, END + bidAt * MINUTE)
      state = placed.state ?? state
      expect(state.endAtMs).toBe(END + endsAt * MINUTE)
      const extended = state.endAtMs > before
      expect(placed.events).toMatchObject([{ extended, endAtMs: state.endAtMs }])
      moved += extended ? 1 : 0
    }
    expect(state).toMatchObject({ extensionCount: moved, originalEndAtMs: END })
  })

  it.each(['add', 'reset'] as const)("%s: never by a leader's raise of their own bid", (mode) => {
    const softClose = { ...defaultSoftClose, mode }
    const { state } = bid(item({ ...led, softClose }), 'ann', 500n, END - 1)
    expect(state).toMatchObject({ endAtMs: END, extensionCount: 0 })
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

const seller = { userId: 'seller', operator: false }
const operator = { userId: 'op', operator: true }
const stranger = { userId: 'x', operator: false }

describe('cancelling and editing', () => {
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

describe('extending', () => {
  const later = END + MINUTE
  const longest = START + 366 * 86_400_000
  const scheduled = item({ status: 'scheduled' })
  it.each([
    ['by the seller, without bids', item(), seller, MIDWAY, later, undefined],
    ['by the seller, before the start', scheduled, seller, START - 1, later, undefined],
    ['by the seller, with bids', item(led), seller, MIDWAY, later, 'has_bids'],
    ['by an operator, with bids', item(led), operator, MIDWAY, later, undefined],
    ['by a stranger', item(), stranger, MIDWAY, later, 'not_seller'],
    ['to the same end', item(), seller, MIDWAY, END, 'not_later'],
    ['to an earlier end', item(), operator, MIDWAY, END - 1, 'not_later'],
    ['to the longest time', item(), seller, MIDWAY, longest, undefined],
    ['beyond it', item(), operator, MIDWAY, longest + 1, 'too_long'],
    ['after the end', item(), operator, END, later, 'ended'],
    ['when cancelled', item({ status: 'cancelled' }), operator, MIDWAY, later, 'cancelled'],
  ] as const)('%s', (_when, before, by, nowMs, endAtMs, rejection) => {
    const command = { kind: 'extend', by, endAtMs, reason: 'a fault' } as const
    const { events, state, rejection: why } = carryOut(before, command, nowMs)
    expect(why).toBe(rejection)
    if (rejection) return
    const who = by === operator ? 'operator' : 'seller'
    const happened = { version: 2n, atMs: nowMs, endAtMs, by: who, reason: 'a fault' }
    expect(events).toEqual([{ type: 'extended', ...happened }])
    expect(state).toEqual({ ...before, endAtMs, originalEndAtMs: endAtMs, version: 2n })
  })

  it('leaves soft close its whole time after the new end', () => {
    const softClose = { ...reset, windowMs: 2 * MINUTE, maxTotalMs: MINUTE }
    const command = { kind: 'extend', by: operator, endAtMs: later, reason: '' } as const
    const { state = item() } = carryOut(item({ softClose }), command, MIDWAY)
    expect(bid(state, 'bob', 100n, later - 1).state?.endAtMs).toBe(later + MINUTE)
  })
})

describe('ending now', () => {
  const endNow = (before: AuctionState, by: typeof seller, nowMs: number) =>
    carryOut(before, { kind: 'end_now', by }, nowMs)
  const scheduled = item({ status: 'scheduled' })
  it.each([
    ['by the seller, with bids', item(led), seller, MIDWAY, ['ended'], 'sold'],
    ['by an operator, with bids', item(led), operator, MIDWAY, ['ended'], 'sold'],
    ['by an operator, without bids', item(), operator, MIDWAY, ['ended'], 'unsold'],
    ['in the last millisecond', item(led), seller, END - 1, ['ended'], 'sold'],
    ['of an item nobody has opened', scheduled, operator, START, ['opened', 'ended'], 'unsold'],
  ] as const)('%s', (_when, before, by, nowMs, happened, outcome) => {
    const { events, state } = endNow(before, by, nowMs)
    expect(types(events)).toEqual(happened)
    const version = before.version + BigInt(happened.length)
    const ended = { status: 'ended', outcome, endAtMs: nowMs + 1, version }
    expect(state).toEqual({ ...before, ...ended })
  })

  it.each([
    ['by the seller, without bids', item(), seller, MIDWAY, 'no_bids'],
    ['by a stranger', item(led), stranger, MIDWAY, 'not_seller'],
    ['before the start', scheduled, operator, START - 1, 'not_started'],
    ['after the end', item(led), seller, END, 'ended'],
    ['twice', item({ ...led, status: 'ended', outcome: 'sold' }), seller, MIDWAY, 'ended'],
    ['when cancelled', item({ status: 'cancelled' }), operator, MIDWAY, 'cancelled'],
  ] as const)('is rejected %s: %s', (_when, before, by, nowMs, rejection) => {
    expect(endNow(before, by, nowMs)).toEqual({ rejection })
  })
})

describe('putting an item up', () => {
  it.each<[Partial<SoftClose>, boolean]>([
    [{ extensionMs: 29_999 }, false],
    [{ extensionMs: 30_000 }, true],
    [{ mode: 'reset', extensionMs: 1 }, true],
  ])('with soft close %o: %s', (changes, allowed) => {
    const softClose = { ...defaultSoftClose, ...changes }
    const { fault } = decideCreation({ ...item(), softClose }, START)
    const words = 'soft_close.extension must be at least soft_close.window in mode ADD'
    expect(fault).toBe(allowed ? undefined : words)
  })

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
    const terms = { ...item(), softClose: defaultSoftClose, startAtMs, endAtMs }
    expect(decideCreation(terms, START).fault).toBe(fault)
  })
})

it('no state takes an event that is not its next', () => {
  expect(() => evolve(item(), { type: 'opened', version: 3n, atMs: START })).toThrow('event 3')
})
