import { describe, expect, it } from 'vitest'
import {
  cancelItem,
  closeItem,
  decideBid,
  type Head,
  minimumNextBid,
  openItem,
  type PlacedBid,
  refuseChange,
  refuseEarly,
  refuseTimes,
} from './auction.ts'

const START = Date.UTC(2026, 0, 1)
const END = START + 3_600_000
const MIDWAY = START + 1_800_000

function head(changes: Partial<Head> = {}): Head {
  return {
    itemId: 'item',
    sellerId: 'seller',
    currency: 'USD',
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
const earlier: PlacedBid = {
  id: 'bid',
  itemId: 'item',
  userId: 'ann',
  amount: 100n,
  sequence: 1n,
  createdAtMs: MIDWAY,
}

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
    expect(minimumNextBid(head({ currentHighestBid: price, sequence }))).toBe(minimum)
  })

  it("adds the item's own increment instead, when it has one", () => {
    expect(minimumNextBid(head({ ...led, minIncrement: 7n }))).toBe(107n)
  })
})

describe('a bid is refused', () => {
  it.each([
    ['too_low', 'below the start price', head(), { amount: 99n }, MIDWAY],
    ['too_low', 'below price + increment', head(led), { amount: 124n }, MIDWAY],
    ['too_low', 'equal to the highest', head(led), { amount: 100n }, MIDWAY],
    ['not_started', '1 ms before the start', head({ status: 'scheduled' }), {}, START - 1],
    ['ended', 'at the very end', head(), {}, END],
    ['ended', 'after the end, though nobody closed the item', head(), {}, END + 1],
    ['ended', 'once closed', head({ status: 'ended', outcome: 'unsold' }), {}, MIDWAY],
    ['cancelled', 'once cancelled, even after the end', head({ status: 'cancelled' }), {}, END + 1],
    ['own_item', 'from the seller', head(), { userId: 'seller' }, MIDWAY],
  ] as const)('%s: %s', (refusal, _when, before, bid, nowMs) => {
    const decision = decideBid(before, { userId: 'bob', amount: 100n, ...bid }, nowMs)
    expect(decision).toEqual({ kind: 'refused', refusal })
  })
})

describe('a bid is accepted', () => {
  it.each([
    ['at the start price', head(), 100n, 'bob', START],
    ['exactly at the minimum', head(led), 125n, 'bob', MIDWAY],
    ['in the last millisecond', head(), 100n, 'bob', END - 1],
    ['from the leader, raising their own bid', head(led), 200n, 'ann', MIDWAY],
  ])('%s', (_when, before, amount, userId, nowMs) => {
    const decision = decideBid(before, { userId, amount }, nowMs)
    expect(decision).toMatchObject({
      kind: 'accepted',
      opened: undefined,
      head: {
        status: 'active',
        currentHighestBid: amount,
        highestBidderId: userId,
        sequence: before.sequence + 1n,
        version: before.version + 1n,
      },
    })
  })

  it('opens a scheduled item whose time has come before the auctioneer did', () => {
    const scheduled = head({ status: 'scheduled' })
    const decision = decideBid(scheduled, { userId: 'b', amount: 100n }, START)
    const opened = { ...scheduled, status: 'active', version: scheduled.version + 1n }
    expect(decision).toMatchObject({
      kind: 'accepted',
      opened,
      head: { ...opened, sequence: 1n, currentHighestBid: 100n, highestBidderId: 'b', version: 3n },
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
    const decision = decideBid(head({ extensionCount }), { userId: 'b', amount: 100n }, nowMs)
    expect(decision).toMatchObject({
      kind: 'accepted',
      extended,
      head: {
        endAtMs: END + (extended ? 20_000 : 0),
        extensionCount: extensionCount + (extended ? 1 : 0),
      },
    })
  })

  it.each([
    ['not for a leader who raises their own bid', 'ann', false],
    ['for whoever outbids the leader', 'bob', true],
  ])('moves the end %s', (_who, userId, extended) => {
    const decision = decideBid(head(led), { userId, amount: 500n }, END - 1)
    expect(decision).toMatchObject({ kind: 'accepted', extended })
  })

  it('is off with 0 extensions', () => {
    const softClose = { windowMs: 30_000, extensionMs: 30_000, maxExtensions: 0 }
    const decision = decideBid(head({ softClose }), { userId: 'b', amount: 100n }, END - 1)
    expect(decision).toMatchObject({ extended: false, head: { endAtMs: END } })
  })
})

describe('an idempotency key', () => {
  it.each([
    ['outbid since', head({ ...led, currentHighestBid: 500n, sequence: 9n }), MIDWAY],
    ['after the end', head(led), END + 1],
    ['after the closing', head({ ...led, status: 'ended', outcome: 'sold' }), END + 1],
  ])('answers a repeated bid with what it placed: %s', (_when, now, nowMs) => {
    const decision = decideBid(now, { userId: 'ann', amount: 100n }, nowMs, earlier)
    expect(decision).toEqual({ kind: 'repeated', bid: earlier })
  })

  it.each([
    ['another amount', head(led), 101n],
    ['another item', head({ ...led, itemId: 'other' }), 100n],
  ])('is refused for %s', (_what, now, amount) => {
    const decision = decideBid(now, { userId: 'ann', amount }, MIDWAY, earlier)
    expect(decision).toEqual({ kind: 'refused', refusal: 'key_reused' })
  })
})

describe('an early answer from an old head', () => {
  const bid = { userId: 'bob', amount: 100n }
  it.each([
    ['too low', head(led), bid, MIDWAY, 'too_low'],
    ['own item', head(led), { userId: 'seller', amount: 900n }, MIDWAY, 'own_item'],
    ['cancelled', head({ status: 'cancelled' }), bid, END + 1, 'cancelled'],
    ['high enough: never accepts', head(led), { ...bid, amount: 125n }, MIDWAY, undefined],
    ['near the end: the database says why', head(led), bid, END - 2_000, undefined],
    ['after the end: the database says why', head(led), bid, END + 1, undefined],
    ['not open yet: the database says why', head({ status: 'scheduled' }), bid, MIDWAY, undefined],
  ] as const)('%s', (_when, old, given, nowMs, refusal) => {
    expect(refuseEarly(old, given, nowMs)).toBe(refusal)
  })
})

describe('opening and closing', () => {
  it.each([
    ['before its end', head(led), END - 1, undefined],
    ['with bids', head(led), END, { status: 'ended', outcome: 'sold', version: 2n }],
    ['without bids', head(), END, { status: 'ended', outcome: 'unsold', version: 2n }],
    ['a second time', head({ status: 'ended', outcome: 'sold' }), END, undefined],
    ['cancelled', head({ status: 'cancelled' }), END, undefined],
  ] as const)('closes %s', (_when, before, nowMs, after) => {
    expect(closeItem(before, nowMs)).toEqual(after && { ...before, ...after })
  })

  it.each([
    ['before its start', head({ status: 'scheduled' }), START - 1, undefined],
    ['at its start', head({ status: 'scheduled' }), START, { status: 'active', version: 2n }],
    ['when open already', head(), START, undefined],
  ] as const)('opens %s', (_when, before, nowMs, after) => {
    expect(openItem(before, nowMs)).toEqual(after && { ...before, ...after })
  })
})

describe('cancelling and editing', () => {
  const seller = { userId: 'seller', operator: false }
  const operator = { userId: 'op', operator: true }
  it.each([
    ['by the seller, without bids', head(), seller, MIDWAY, 'cancelled'],
    [
      'by the seller, before the start',
      head({ status: 'scheduled' }),
      seller,
      START - 1,
      'cancelled',
    ],
    ['by the seller, with bids', head(led), seller, MIDWAY, 'has_bids'],
    ['by an operator, with bids', head(led), operator, MIDWAY, 'cancelled'],
    ['by a stranger', head(), { userId: 'x', operator: false }, MIDWAY, 'not_seller'],
    ['after the end', head(), seller, END, 'ended'],
    ['twice', head({ status: 'cancelled' }), seller, MIDWAY, 'cancelled already'],
  ] as const)('cancelling %s: %s', (_when, before, caller, nowMs, result) => {
    const decision = cancelItem(before, caller, nowMs)
    if (result === 'cancelled') {
      expect(decision).toEqual({ head: { ...before, status: 'cancelled', version: 2n } })
    } else {
      expect(decision).toEqual({ refusal: result.replace(' already', '') })
    }
  })

  it.each([
    ['with bids', head(led), seller, MIDWAY, undefined],
    ['by a stranger', head(), { userId: 'x', operator: false }, MIDWAY, 'not_seller'],
    ['after the end', head(), seller, END, 'ended'],
    ['when cancelled', head({ status: 'cancelled' }), seller, MIDWAY, 'cancelled'],
  ] as const)('editing %s: %s', (_when, before, caller, nowMs, refusal) => {
    expect(refuseChange(before, caller, nowMs)).toBe(refusal)
  })
})

describe('times of a new item', () => {
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
    expect(refuseTimes(startAtMs, endAtMs, START)).toBe(fault)
  })
})
