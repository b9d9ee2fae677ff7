/** What an item page knows, message by message. Pure: the stream in, the page's state out. */
import { timestampMs } from '@bufbuild/protobuf/wkt'
import {
  type Bid,
  type Item,
  ItemStatus,
  type PlaceBidResponse,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import type { ChatMessage, WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'

/** Kept of each for the page; older ones are a query away. */
const BIDS_KEPT = 200
const CHAT_KEPT = 1_000

export type ItemView = {
  item: Item
  viewers: number
  /** Bids seen on the stream, newest first; those before it come from queries. */
  bids: readonly Bid[]
  /** Chat seen on the stream, oldest first. */
  chat: readonly ChatMessage[]
  winning: boolean
  /** Somebody took the lead from this user, who has not led again since. */
  outbid: boolean
  /** How often the end has moved while this page was open, to show that it did. */
  extensionsSeen: number
  /** The last of these moves: by how much, and what its seller or operator said of it. */
  lastMove: { ms: number; comment: string }
}

/** What can be said before the stream has: of an item that was asked for. */
export function viewOf(item: Item, userId: string): ItemView {
  return {
    item,
    viewers: 0,
    bids: [],
    chat: [],
    winning: userId !== '' && item.highestBidderId === userId,
    outbid: false,
    extensionsSeen: 0,
    lastMove: { ms: 0, comment: '' },
  }
}

/** The view after a message. The first message of a first stream is a snapshot; before it there is no view. */
export function followItem(
  view: ItemView | undefined,
  message: WatchItemResponse,
): ItemView | undefined {
  const { event } = message
  if (event.case === 'snapshot') {
    const { item, viewerCount } = event.value
    if (!item) return view
    const known = caughtUp(view ?? viewOf(item, ''), item, message.youAreWinning)
    return { ...known, viewers: Number(viewerCount) }
  }
  if (!view) return undefined
  const { sequence, version } = message
  const item = { ...view.item, ...changed(message), sequence, version }
  const comment = event.case === 'endMoved' ? event.value.comment : ''
  const lastMove = moveBetween(view, item, comment)
  const next = { ...view, item, winning: message.youAreWinning, lastMove }
  switch (event.case) {
    case 'bidPlaced': {
      const { bid } = event.value
      if (!bid || view.bids.some(({ id }) => id === bid.id)) return next
      const outbid = message.youWereOutbid || (view.outbid && !next.winning)
      return { ...next, outbid, bids: [bid, ...view.bids].slice(0, BIDS_KEPT) }
    }
    case 'endMoved':
      return { ...next, extensionsSeen: view.extensionsSeen + 1 }
    case 'chatMessage':
      return { ...next, chat: [...view.chat, event.value].slice(-CHAT_KEPT) }
    case 'viewerCount':
      return { ...next, viewers: Number(event.value.viewers) }
    case 'opened':
    case 'ended':
    case 'cancelled':
    case 'clock':
    case undefined:
  }
  return next
}

/**
 * The view when the item is known at a later moment, but not how it got there. Bids that leave a hole below
 * the next one are dropped: the history is asked for again.
 */
export function caughtUp(view: ItemView, item: Item, winning: boolean): ItemView {
  return {
    ...view,
    item,
    winning,
    outbid: !winning && (view.outbid || view.winning),
    bids: item.sequence === view.item.sequence ? view.bids : [],
    extensionsSeen: view.extensionsSeen + (item.extensionCount - view.item.extensionCount),
    lastMove: moveBetween(view, item, ''),
  }
}

/** An end that comes earlier, by the hammer, is no move of it. */
function moveBetween(view: ItemView, item: Item, comment: string): ItemView['lastMove'] {
  const ms = endMs(item) - endMs(view.item)
  return ms > 0 ? { ms, comment } : view.lastMove
}

function isByBid(reason: ExtensionReason): boolean {
  return reason !== ExtensionReason.SELLER && reason !== ExtensionReason.OPERATOR
}

/** The item after a bid of this user was accepted, when the stream has not told so yet. */
export function afterBid(item: Item, answer: PlaceBidResponse | undefined): Item {
  const bid = answer?.bid
  if (!bid || bid.sequence <= item.sequence) return item
  // The answer to a bid sent twice tells of now: then somebody else may lead, and the stream says who.
  if (answer.currentHighestBid !== bid.amount) return item
  return { ...item, ...headBy(bid, answer), sequence: bid.sequence }
}

/** The fields of the item that an accepted bid sets. */
function headBy(
  { amount, userId, sequence }: Bid,
  { minimumNextBid, endAt }: Pick<Item, 'minimumNextBid' | 'endAt'>,
): Partial<Item> {
  const head = { currentHighestBid: amount, highestBidderId: userId, bidCount: sequence }
  return { ...head, minimumNextBid, ...(endAt && { endAt }) }
}

/** The fields of the item that a message tells. */
function changed({ event }: WatchItemResponse): Partial<Item> {
  switch (event.case) {
    case 'bidPlaced': {
      const { bid } = event.value
      return bid ? headBy(bid, event.value) : {}
    }
    case 'endMoved': {
      const { endAt, extensionCount, reason } = event.value
      if (!endAt || isByBid(reason)) return { extensionCount, ...(endAt && { endAt }) }
      return { endAt, originalEndAt: endAt }
    }
    case 'opened':
      return { status: ItemStatus.ACTIVE }
    case 'ended': {
      const { outcome, winnerId, hammerPrice, endedAt } = event.value
      const ended = { status: ItemStatus.ENDED, outcome, winnerId, hammerPrice }
      return { ...ended, ...(endedAt && { endAt: endedAt }) }
    }
    case 'cancelled':
      return { status: ItemStatus.CANCELLED, cancelReason: event.value.reason }
    case 'snapshot':
    case 'chatMessage':
    case 'viewerCount':
    case 'clock':
    case undefined:
  }
  return {}
}

/** When bidding ends, in ms by the server's clock. */
export function endMs(item: Pick<Item, 'endAt'>): number {
  return item.endAt ? timestampMs(item.endAt) : 0
}
