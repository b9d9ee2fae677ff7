import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidSchema,
  type Item,
  ItemSchema,
  ItemStatus,
  PlaceBidResponseSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { afterBid, endMs, followItem, type ItemView, viewOf } from './item-view.ts'

const END_MS = 1_000_000

const item = create(ItemSchema, {
  id: 'item',
  status: ItemStatus.ACTIVE,
  startPrice: 100n,
  minimumNextBid: 100n,
  endAt: timestampFromMs(END_MS),
})

type Init = MessageInitShape<typeof WatchItemResponseSchema>
type Rest = { youAreWinning?: boolean; youWereOutbid?: boolean }

function message(init: Init): WatchItemResponse {
  return create(WatchItemResponseSchema, init)
}

function snapshot(changes: Partial<Item> = {}, rest: Rest = {}) {
  const event = {
    case: 'snapshot',
    value: { item: { ...item, ...changes }, viewerCount: 3n },
  } as const
  return message({ ...rest, event })
}

function bid(sequence: bigint, userId: string, rest: Rest = {}) {
  const placed = create(BidSchema, {
    id: `bid-${sequence}`,
    userId,
    amount: sequence * 100n,
    sequence,
  })
  const value = {
    bid: placed,
    minimumNextBid: sequence * 100n + 5n,
    endAt: timestampFromMs(END_MS),
  }
  return message({ sequence, version: sequence + 1n, ...rest, event: { case: 'bidPlaced', value } })
}

function endMoved(extensionCount: number, endAtMs: number) {
  const value = { extensionCount, endAt: timestampFromMs(endAtMs) }
  return message({ sequence: 1n, version: 2n, event: { case: 'endMoved', value } })
}

function endMovedBySeller(version: bigint, endAtMs: number) {
  const reason = ExtensionReason.SELLER
  const value = { endAt: timestampFromMs(endAtMs), reason, comment: 'a longer view' }
  return message({ version, event: { case: 'endMoved', value } })
}

function follow(...messages: readonly WatchItemResponse[]): ItemView {
  let view: ItemView | undefined
  for (const next of messages) view = followItem(view, next)
  if (!view) throw new Error('no view')
  return view
}

describe('followItem', () => {
  it('knows nothing before a snapshot', () => {
    expect(followItem(undefined, bid(1n, 'ann'))).toBeUndefined()
    expect(
      followItem(undefined, message({ event: { case: 'snapshot', value: {} } })),
    ).toBeUndefined()
  })

  it('starts with a snapshot', () => {
    const view = follow(snapshot({ highestBidderId: 'ann' }, { youAreWinning: true }))
    expect(view).toMatchObject({ viewers: 3, winning: true, bids: [], chat: [], extensionsSeen: 0 })
    expect(view.item.id).toBe('item')
  })

  it('moves price, leader and minimum with each bid, newest first', () => {
    const view = follow(snapshot(), bid(1n, 'ann'), bid(2n, 'bob'))
    expect(view.item).toMatchObject({
      currentHighestBid: 200n,
      highestBidderId: 'bob',
      minimumNextBid: 205n,
      bidCount: 2n,
      sequence: 2n,
      version: 3n,
    })
    expect(view.bids.map(({ sequence }) => sequence)).toEqual([2n, 1n])
  })

  it('lists a bid once that is told twice', () => {
    expect(follow(snapshot(), bid(1n, 'ann'), bid(1n, 'ann')).bids).toHaveLength(1)
  })

  it('remembers who took the lead until it is back', () => {
    const lead = bid(1n, 'me', { youAreWinning: true })
    const outbid = follow(snapshot(), lead, bid(2n, 'bob', { youWereOutbid: true }))
    expect(outbid).toMatchObject({ winning: false, outbid: true })
    const further = followItem(outbid, bid(3n, 'cleo'))
    expect(further?.outbid).toBe(true)
    const back = followItem(further, bid(4n, 'me', { youAreWinning: true }))
    expect(back).toMatchObject({ winning: true, outbid: false })
  })

  it('knows from a snapshot, too, that somebody took the lead, and drops bids above a hole', () => {
    const lead = bid(1n, 'me', { youAreWinning: true })
    const later = snapshot({ sequence: 9n, highestBidderId: 'bob' })
    const view = follow(snapshot(), lead, later)
    expect(view).toMatchObject({ winning: false, outbid: true, bids: [] })
    const same = follow(snapshot(), lead, snapshot({ sequence: 1n }, { youAreWinning: true }))
    expect(same).toMatchObject({ winning: true, outbid: false, bids: [{ sequence: 1n }] })
  })

  it('counts the moves of the end', () => {
    const view = follow(snapshot(), bid(1n, 'ann'), endMoved(1, END_MS + 30))
    expect(view.extensionsSeen).toBe(1)
    expect(view.item.extensionCount).toBe(1)
    expect(endMs(view.item)).toBe(END_MS + 30)
  })

  it('tells by how much the end was moved, and why, whoever moved it', () => {
    const moved = endMovedBySeller(2n, END_MS + 60_000)
    const view = follow(snapshot(), moved)
    expect(view).toMatchObject({
      extensionsSeen: 1,
      lastMove: { ms: 60_000, comment: 'a longer view' },
    })
    expect(endMs(view.item)).toBe(END_MS + 60_000)
    expect(view.item.extensionCount).toBe(0)
  })

  it('keeps what it has seen over a later snapshot, and counts the moves in between', () => {
    const line = message({ event: { case: 'chatMessage', value: { id: '1-0', text: 'hello' } } })
    const view = follow(
      snapshot(),
      bid(1n, 'ann'),
      line,
      snapshot({ extensionCount: 2, sequence: 7n }),
    )
    expect(view.chat).toHaveLength(1)
    expect(view).toMatchObject({ extensionsSeen: 2, item: { sequence: 7n } })
  })

  it('does not take moves from before the first snapshot as news', () => {
    expect(follow(snapshot({ extensionCount: 4 })).extensionsSeen).toBe(0)
  })

  it('opens, ends and is cancelled', () => {
    const opened = { case: 'opened', value: {} } as const
    const scheduled = snapshot({ status: ItemStatus.SCHEDULED })
    expect(follow(scheduled, message({ event: opened })).item.status).toBe(ItemStatus.ACTIVE)

    const value = { outcome: ItemOutcome.SOLD, winnerId: 'ann', hammerPrice: 100n }
    const ended = follow(snapshot(), message({ event: { case: 'ended', value } }))
    expect(ended.item).toMatchObject({ ...value, status: ItemStatus.ENDED })

    const cancelled = { case: 'cancelled', value: { reason: 'broken' } } as const
    const view = follow(snapshot(), message({ event: cancelled }))
    expect(view?.item).toMatchObject({ cancelReason: 'broken', status: ItemStatus.CANCELLED })
  })

  it('follows viewers, and lets the clock change nothing else', () => {
    const event = { case: 'viewerCount', value: { viewers: 9n } } as const
    const view = follow(snapshot(), bid(1n, 'ann'), message({ sequence: 1n, version: 2n, event }))
    expect(view.viewers).toBe(9)
    const clock = message({ sequence: 1n, version: 2n, event: { case: 'clock', value: {} } })
    expect(followItem(view, clock)).toEqual(view)
  })

  it('keeps a bounded number of bids', () => {
    const many = Array.from({ length: 230 }, (_, at) => bid(BigInt(at + 1), 'ann'))
    const { bids } = follow(snapshot(), ...many)
    expect(bids).toHaveLength(200)
    expect(bids[0]?.sequence).toBe(230n)
  })
})

describe('afterBid', () => {
  const placed = create(BidSchema, { userId: 'me', amount: 300n, sequence: 3n })
  const answer = create(PlaceBidResponseSchema, {
    bid: placed,
    currentHighestBid: 300n,
    minimumNextBid: 305n,
    endAt: timestampFromMs(END_MS + 1),
  })

  it('is ahead of the stream', () => {
    const after = afterBid({ ...item, sequence: 2n }, answer)
    expect(after).toMatchObject({
      currentHighestBid: 300n,
      highestBidderId: 'me',
      minimumNextBid: 305n,
      bidCount: 3n,
    })
    expect(endMs(after)).toBe(END_MS + 1)
  })

  it('leaves it to the stream as soon as that knows the bid', () => {
    const known = { ...item, sequence: 3n }
    expect(afterBid(known, answer)).toBe(known)
    expect(afterBid(item, undefined)).toBe(item)
  })

  it('claims no lead that another has taken since', () => {
    expect(afterBid(item, { ...answer, currentHighestBid: 400n })).toBe(item)
  })
})

describe('viewOf', () => {
  it('says who leads', () => {
    const led = { ...item, highestBidderId: 'ann' }
    expect(viewOf(led, 'ann').winning).toBe(true)
    expect(viewOf(led, 'bob').winning).toBe(false)
    expect(viewOf(item, '').winning).toBe(false)
  })
})
