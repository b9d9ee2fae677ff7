/**
 * The stack with everything the viewer tests need on it: a few items, 2,000 viewers over both live
 * processes, and bids that trickle in. The numbers are what two cores carry beside the stack.
 */
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { callJson } from '../call-json.ts'
import { type BidTime, type Trickle, trickleBids } from './live-bids.ts'
import { gatherViewers, type LiveCrowd, type ViewerSpec } from './live-crowd.ts'
import { type PrivateStack, startPrivateStack } from '../private-stack.ts'

const viewerCount = 2_000
/** The first is hot: this many of ten viewers watch it, and the others in even shares. */
const watchedItems = 4
const hotOfTen = 6
/** Nobody watches these: more bids to time that make no work for live. */
const unwatchedItems = 4
/** Shares no factor with the places of ten viewers. */
const guestsOneIn = 7
/** 40 bids a second: 10,000 messages a second to viewers. */
const bidIntervalMs = 25
const startPrice = 100
/** They watch as well, and are told about themselves. With eight items nobody bids twice in a row on one. */
const bidderCount = 7
/** A bid process is slow until its code is warm: these bids are not timed. */
const warmUpBids = 60

export type LiveWorld = PrivateStack & {
  crowd: LiveCrowd
  bids: Trickle
  /** Of all bids before and during faults so far. */
  times: { quiet: BidTime[]; struck: BidTime[] }
}

/** Resolves when bids have warmed up, and are paused. `stop` ends the crowd first. */
export async function startLiveWorld(): Promise<LiveWorld> {
  await using undo = new AsyncDisposableStack()
  const running = await startPrivateStack()
  undo.defer(running.stop)
  const urls = running.stack.bid.map(({ url }) => url)
  const indexes = Array.from({ length: watchedItems + unwatchedItems }, (_, index) => index)
  const itemIds = await Promise.all(indexes.map((index) => createItem(urls[0] ?? '', index)))
  const watched = itemIds.slice(0, watchedItems)
  const viewers = Array.from({ length: viewerCount }, (_, index) => viewerSpec(index, watched))
  const crowd = await gatherViewers({ urls: running.stack.live.map(({ url }) => url), viewers })
  undo.defer(crowd.stop)
  const userIds = Array.from({ length: bidderCount }, (_, index) => `user-${index}`)
  const bids = trickleBids({ urls, itemIds, userIds, startPrice, intervalMs: bidIntervalMs })
  undo.defer(bids.pause)
  bids.go()
  await eventually(() => bids.ledger.length >= warmUpBids)
  await bids.pause()
  const started = undo.move()
  return {
    ...running,
    crowd,
    bids,
    times: { quiet: [], struck: [] },
    stop: () => started.disposeAsync(),
  }
}

/** Lasts longer than any test; each bid on every other item moves its end, as often as ends may move. */
async function createItem(url: string, index: number): Promise<string> {
  const softClose = index % 2 === 0 ? { maxExtensions: 0 } : { mode: 'RESET', window: '3600s' }
  const request = {
    title: 'Lamp',
    sellerId: 'seller',
    startPrice,
    minIncrement: 1,
    endAt: new Date(Date.now() + (index % 2 === 0 ? 24 : 1) * 3_599_000).toISOString(),
    softClose,
  }
  const procedure = 'bids.v1.BidService/CreateItem'
  const { item } = await callJson<{ item: { id: string } }>(url, procedure, request)
  return item.id
}

/**
 * Of ten viewers one is nobody in particular, and two are one user on both processes: neighbours are on
 * different ones. Guests are some of each kind.
 */
function viewerSpec(index: number, itemIds: readonly string[]): ViewerSpec {
  const [ten, place] = [Math.floor(index / 10), index % 10]
  const item = place < hotOfTen ? 0 : 1 + (ten % (itemIds.length - 1))
  const userId = place === 1 ? `user-${index - 1}` : `user-${index}`
  const nobody = place === 2 + (ten % 2)
  return {
    itemId: itemIds[item] ?? '',
    userId: nobody ? '' : userId,
    home: index % 2,
    guest: index % guestsOneIn === 0,
  }
}
