import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemSchema, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { describe, expect, it } from 'vitest'
import {
  type BrowseInput,
  type BrowseList,
  emptyList,
  followList,
  LEAVE_MS,
  letIn,
} from './browse-list.ts'

const NOW_MS = 1_000_000_000
const { ACTIVE, ENDED, SCHEDULED, UNSPECIFIED } = ItemStatus

/** @param inMs when it ends, from now */
function item(
  id: string,
  inMs: number,
  status: ItemStatus = ACTIVE,
  price = 100n,
  createdMs = NOW_MS,
): Item {
  const endAt = timestampFromMs(NOW_MS + inMs)
  const createdAt = timestampFromMs(createdMs)
  return create(ItemSchema, { id, endAt, status, createdAt, startPrice: price })
}

const start: BrowseInput = {
  key: 'open',
  loaded: [item('a', 10_000), item('b', 20_000), item('c', 30_000)],
  newest: new Map(),
  hasMore: false,
  polled: undefined,
  status: ACTIVE,
  sort: 'ending',
  calm: true,
  atTop: true,
  nowMs: NOW_MS,
}

/** The list after each of the looks, each with what has changed since the one before. */
function look(...changes: Partial<BrowseInput>[]): BrowseList {
  let input = start
  let list = followList(emptyList, start)
  for (const change of changes) {
    input = { ...input, ...change }
    list = followList(list, input)
  }
  return list
}

describe('the list of Browse', () => {
  it('is the same while nothing changes', () => {
    const list = look()
    expect(list.order).toEqual(['a', 'b', 'c'])
    expect(followList(list, { ...start, nowMs: NOW_MS + 1_000 })).toBe(list)
  })

  it('lets what has ended go after a moment', () => {
    const loaded = [item('a', 0, ENDED), ...start.loaded.slice(1)]
    const ended = { loaded, nowMs: NOW_MS + 10_000 }
    expect(look(ended).order).toEqual(['a', 'b', 'c'])
    expect(look(ended, { nowMs: NOW_MS + 9_999 + LEAVE_MS }).order).toContain('a')
    expect(look(ended, { nowMs: NOW_MS + 10_000 + LEAVE_MS }).order).toEqual(['b', 'c'])
  })

  it('keeps what has ended where ended items are shown', () => {
    const loaded = [item('a', 0, ENDED), ...start.loaded.slice(1)]
    const later = { status: UNSPECIFIED, loaded, nowMs: NOW_MS + 60_000 }
    expect(look(later, { nowMs: NOW_MS + 120_000 }).order).toEqual(['a', 'b', 'c'])
  })

  it('lets upcoming items go once they are open', () => {
    const upcoming = { key: 'u', status: SCHEDULED, loaded: [item('a', 9_000, SCHEDULED)] }
    const opened = { loaded: [item('a', 9_000)] }
    expect(look(upcoming, opened).order).toEqual(['a'])
    expect(look(upcoming, opened, { nowMs: NOW_MS + LEAVE_MS }).order).toEqual([])
  })

  it('knows without a stream that an item is over: by the clock, and because it is not found', () => {
    const over = { nowMs: NOW_MS + 11_000 }
    const after = { nowMs: NOW_MS + 11_000 + LEAVE_MS }
    const polled = start.loaded.slice(1)
    expect(look({ ...over, polled }, after).order).toEqual(['b', 'c'])
    // A server that is late to close it still lists it.
    expect(look({ ...over, polled: start.loaded }, after).order).toEqual(['a', 'b', 'c'])
    expect(look(over, after).order).toEqual(['a', 'b', 'c'])
  })

  it('moves what was extended', () => {
    const loaded = [item('a', 25_000), ...start.loaded.slice(1)]
    expect(look({ loaded }).order).toEqual(['b', 'a', 'c'])
  })

  it('moves nothing under a finger, and catches up when it is gone', () => {
    const loaded = [item('a', 25_000), item('b', 0, ENDED), item('c', 30_000)]
    const polled = [...loaded, item('d', 50_000)]
    const touched = { calm: false, loaded, polled }
    const later = { nowMs: NOW_MS + LEAVE_MS }
    expect(look(touched, later).order).toEqual(['a', 'b', 'c'])
    expect(look(touched, later).fresh).toHaveLength(1)
    expect(look(touched, later, { calm: true }).order).toEqual(['a', 'c', 'd'])
    // Scrolling on goes on.
    expect(look(touched, { loaded: [...loaded, item('e', 1)] }).order).toEqual(['a', 'b', 'c', 'e'])
  })

  it('lets newcomers in at the top, and announces them further down', () => {
    const polled = [...start.loaded, item('d', 15_000)]
    expect(look({ polled }).order).toEqual(['a', 'd', 'b', 'c'])
    const down = look({ polled, atTop: false })
    expect(down.order).toEqual(['a', 'b', 'c'])
    expect(down.fresh.map(({ id }) => id)).toEqual(['d'])
    const asked = followList(letIn(down), { ...start, polled, atTop: false })
    expect([asked.order, asked.fresh]).toEqual([['a', 'd', 'b', 'c'], []])
  })

  it('lets go of newcomers too', () => {
    const polled = [item('d', 15_000)]
    const newest = new Map([['d', item('d', 15_000, ENDED)]])
    const ended = { newest, nowMs: NOW_MS + 16_000, loaded: [item('c', 30_000)] }
    expect(look({ polled }, ended).order).toEqual(['d', 'c'])
    expect(look({ polled }, ended, { nowMs: ended.nowMs + LEAVE_MS }).order).toEqual(['c'])
  })

  it('leaves to paging what is further down, and lets nothing in that is over', () => {
    const polled = [item('d', 15_000), item('e', 99_000), item('f', -1), item('g', 5_000, ENDED)]
    expect(look({ polled, hasMore: true }).order).toEqual(['a', 'd', 'b', 'c'])
    expect(look({ polled, hasMore: false }).order).toEqual(['a', 'd', 'b', 'c', 'e'])
  })

  it('keeps pages by price as they came, and puts newcomers where they belong', () => {
    const loaded = [item('a', 9_000, ACTIVE, 500n), item('b', 9_000, ACTIVE, 400n)]
    const dear = { key: 'dear', sort: 'dear', loaded } as const
    const risen = [item('a', 9_000, ACTIVE, 500n), item('b', 9_000, ACTIVE, 900n)]
    expect(look(dear, { loaded: risen }).order).toEqual(['a', 'b'])
    const polled = [item('n', 9_000, ACTIVE, 450n)]
    expect(look(dear, { polled }).order).toEqual(['a', 'n', 'b'])
  })

  it('begins anew with another filter', () => {
    const polled = [item('d', 15_000)]
    const other = { key: 'other', loaded: [item('x', 1_000)], polled: [] }
    expect(look({ polled, atTop: false }, other)).toMatchObject({ order: ['x'], fresh: [] })
  })
})
