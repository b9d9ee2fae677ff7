/** What makes an event poison: each fault alone, and the limits just inside. */
import { randomUUID } from 'node:crypto'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import type { IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { isTransient } from '@bidmesh/platform/process/errors.ts'
import { lifecycleEventId } from '@bidmesh/events/event-id.ts'
import { describe, expect, it } from 'vitest'
import { factOf, PoisonEventError } from './facts.ts'
import { arrived, bidEvent, endEvent, testBid, type TestEnd } from './test-events.ts'

const bid = testBid()
const end: TestEnd = { itemId: randomUUID(), winner: { userId: 'ann', amount: 5n }, atMs: 1_000 }
const max = 10n ** 15n

function errorOf(event: IncomingEvent): unknown {
  try {
    return factOf(event)
  } catch (error) {
    return error
  }
}

describe('good events', () => {
  it('takes a bid over as it is', () => {
    expect(factOf(bidEvent(bid))).toEqual({
      kind: 'bid',
      eventId: bid.id,
      itemId: bid.itemId,
      currency: 'USD',
      userId: 'ann',
      amount: 100n,
      atMs: bid.atMs,
    })
  })

  it('takes a sold and an unsold end', () => {
    const common = {
      kind: 'end',
      eventId: lifecycleEventId(end.itemId, 'item.ended'),
      itemId: end.itemId,
      currency: 'USD',
      atMs: 1_000,
    }
    const sold = { ...common, outcome: 'sold', winnerId: 'ann', hammerPrice: 5n }
    expect(factOf(endEvent(end))).toEqual(sold)
    const unsold = { ...common, outcome: 'unsold', winnerId: '', hammerPrice: 0n }
    expect(factOf(endEvent({ itemId: end.itemId, atMs: 1_000 }))).toEqual(unsold)
  })

  it('writes ids in lower case: the inbox and the maps compare text', () => {
    const id = randomUUID().toUpperCase()
    const itemId = randomUUID().toUpperCase()
    expect(factOf(bidEvent(testBid({ id, itemId })))).toMatchObject({
      eventId: id.toLowerCase(),
      itemId: itemId.toLowerCase(),
    })
  })

  it.each([
    ['the largest amount', { amount: max }],
    ['the smallest amount', { amount: 1n }],
    ['128 characters beyond the BMP', { userId: '😀'.repeat(128) }],
    ['1970', { timestamp: timestampFromMs(0) }],
    ['the end of 9999', { timestamp: timestampFromMs(Date.UTC(10_000, 0) - 1) }],
  ])('lets %s pass', (_, over) => {
    expect(factOf(bidEvent(bid, over))).toMatchObject({ kind: 'bid' })
  })

  it.each([
    'item.created',
    'item.updated',
    'item.opened',
    'item.extended',
    'item.cancelled',
    'bid.retracted',
  ])('%s is nothing to us, whatever is in it', (type) => {
    expect(factOf(arrived('x', type, '', Buffer.from('junk'), Number.NaN))).toBeUndefined()
  })
})

const notPrintable = 'user_id is not 1 to 128 printable characters'

describe('poison', () => {
  it.each<[what: string, says: string, event: IncomingEvent]>([
    ['bytes that are no message', '', { ...bidEvent(bid), payload: Buffer.from([0xff, 0xff]) }],
    ['a truncated message', '', { ...bidEvent(bid), payload: bidEvent(bid).payload.slice(0, -1) }],
    ['an empty message', 'bid_id is not the event id', { ...bidEvent(bid), payload: Buffer.of() }],
    ['no bid_id', 'bid_id is not the event id', bidEvent(bid, { bidId: '' })],
    ['another bid_id', 'bid_id is not the event id', bidEvent(bid, { bidId: randomUUID() })],
    ['no event id', 'the event id is not a UUID', bidEvent(testBid({ id: '' }))],
    ['an event id that is no UUID', 'the event id is not a UUID', bidEvent(testBid({ id: '1' }))],
    ['no item_id', 'item_id is not a UUID', bidEvent(bid, { itemId: '' })],
    ['an item_id with a tail', 'item_id is not a UUID', bidEvent(bid, { itemId: `${bid.id}\n` })],
    ['no user_id', notPrintable, bidEvent(bid, { userId: '' })],
    ['a NUL in user_id', notPrintable, bidEvent(bid, { userId: 'a\0b' })],
    ['a line break after user_id', notPrintable, bidEvent(bid, { userId: 'ann\n' })],
    ['a user_id of 129', notPrintable, bidEvent(bid, { userId: 'a'.repeat(129) })],
    ['amount 0', 'amount is out of range', bidEvent(bid, { amount: 0n })],
    ['a negative amount', 'amount is out of range', bidEvent(bid, { amount: -1n })],
    ['an amount too large', 'amount is out of range', bidEvent(bid, { amount: max + 1n })],
    ['amount 2^63-1', 'amount is out of range', bidEvent(bid, { amount: 2n ** 63n - 1n })],
    ['no timestamp', 'timestamp is missing', bidEvent(bid, { timestamp: undefined })],
    [
      'a time before 1970',
      'the time is out of range',
      bidEvent(bid, { timestamp: { seconds: -1n, nanos: 0 } }),
    ],
    [
      'the year 10000',
      'the time is out of range',
      bidEvent(bid, { timestamp: timestampFromMs(Date.UTC(10_000, 0)) }),
    ],
    [
      'a time no calendar has',
      'the time is out of range',
      bidEvent(bid, { timestamp: { seconds: 2n ** 62n, nanos: 0 } }),
    ],
    [
      'no outcome',
      'outcome is neither SOLD nor UNSOLD',
      endEvent(end, { outcome: ItemOutcome.UNSPECIFIED }),
    ],
    [
      'an outcome of the future',
      'outcome is neither SOLD nor UNSOLD',
      endEvent(end, { outcome: 9 as ItemOutcome }),
    ],
    ['a sale to nobody', 'winner_id', endEvent(end, { winnerId: '' })],
    ['a NUL in winner_id', 'winner_id', endEvent(end, { winnerId: '\0' })],
    ['a sale for nothing', 'hammer_price', endEvent(end, { hammerPrice: 0n })],
    ['a hammer price too large', 'hammer_price', endEvent(end, { hammerPrice: max + 1n })],
    ['no ended_at', 'ended_at is missing', endEvent(end, { endedAt: undefined })],
    ['an end of nothing', 'item_id is not a UUID', endEvent(end, { itemId: '' })],
  ])('%s', (_, says, event) => {
    const error = errorOf(event)
    expect(error).toBeInstanceOf(PoisonEventError)
    expect((error as Error).message).toContain(`${event.type} ${event.id}: `)
    expect((error as Error).message).toContain(says)
    // A transient error would be tried again for ever.
    expect(isTransient(error)).toBe(false)
  })
})
