/** One item that changes by the rules and with the events of the write side, in memory, for tests. */
import {
  cancelItem,
  closeItem,
  decideBid,
  defaultSoftClose,
  type Head,
  minimumNextBid,
  openItem,
  refuseChange,
} from '@bidmesh/bid/auction.ts'
import {
  bidPlaced,
  itemCancelled,
  itemEnded,
  itemOpened,
  itemUpdated,
  type OutboxEvent,
} from '@bidmesh/bid/events.ts'
import { itemFromRow } from '@bidmesh/bid/item-row.ts'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { decodeItemEvent, type ItemEvent } from './item-event.ts'

export const itemId = '018f0000-0000-7000-8000-000000000001'
const startMs = Date.UTC(2026, 0, 1)
const seller = 'sam'

/** `bid` on an item that nobody has opened yet opens it; `extending bid` is one at the last moment. */
export type ChangeKind = 'bid' | 'extending bid' | 'open' | 'update' | 'end' | 'cancel'

export type Auction = {
  item: () => Item
  /** What a change came to; nothing when the rules refuse it. */
  change: (kind: ChangeKind, userId?: string) => ItemEvent[]
}

type Text = {
  title: string
  category: string
  description: string
  cancelReason: string
  originalEndAt: Date
}

type State = { head: Head; text: Text; nowMs: number }

/** An item that has started and that nobody has opened. Time passes only as changes need it. */
export function createAuction(description = ''): Auction {
  const head: Head = {
    itemId,
    sellerId: seller,
    currency: 'EUR',
    status: 'scheduled',
    startPrice: 1_000n,
    minIncrement: 100n,
    startAtMs: startMs,
    endAtMs: startMs + 3_600_000,
    softClose: { ...defaultSoftClose, maxExtensions: 1_000 },
    extensionCount: 0,
    currentHighestBid: 0n,
    highestBidderId: '',
    sequence: 0n,
    outcome: null,
    version: 1n,
  }
  const originalEndAt = new Date(head.endAtMs)
  const text = { title: 'Brass telescope', category: 'optics', description, cancelReason: '' }
  const state: State = { head, text: { ...text, originalEndAt }, nowMs: startMs }
  return {
    item: () => itemOf(state),
    change: (kind, userId = 'ann') => {
      state.nowMs += 1
      return commit(state, kind, userId).map(({ type, payload }) => {
        const event = decodeItemEvent(type, payload)
        if (!event) throw new Error(`an event of a type that live does not know: ${type}`)
        return event
      })
    },
  }
}

function commit(state: State, kind: ChangeKind, userId: string): OutboxEvent[] {
  const { head, text, nowMs } = state
  switch (kind) {
    case 'bid':
      return bid(state, userId)
    case 'extending bid':
      state.nowMs = Math.max(nowMs, head.endAtMs - 1_000)
      // Who leads already gets no extension.
      return bid(state, userId === head.highestBidderId ? 'eve' : userId)
    case 'open': {
      const opened = openItem(head, nowMs)
      return moveTo(state, opened, (after) => itemOpened(after, {}, nowMs))
    }
    case 'update': {
      if (refuseChange(head, { userId: seller, operator: false }, nowMs)) return []
      text.title = `${text.title}!`
      const updated = { ...head, version: head.version + 1n }
      return moveTo(state, updated, (after) => itemUpdated(after, text, {}, nowMs))
    }
    case 'cancel': {
      const cancelled = cancelItem(head, { userId: seller, operator: true }, nowMs)
      if (!('head' in cancelled)) return []
      text.cancelReason = 'broken'
      return moveTo(state, cancelled.head, (after) => itemCancelled(after, 'broken', {}, nowMs))
    }
    case 'end':
      break
  }
  return moveTo(state, closeItem(head, Math.max(nowMs, head.endAtMs)), itemEnded)
}

function bid(state: State, userId: string): OutboxEvent[] {
  const { head: before, nowMs } = state
  const decision = decideBid(before, { userId, amount: minimumNextBid(before) }, nowMs)
  if (decision.kind !== 'accepted') return []
  const { head: after, opened, extended } = decision
  const { sequence, currentHighestBid: amount } = after
  const id = `018f0000-0000-7000-8000-${String(sequence).padStart(12, '0')}`
  const placed = { id, itemId, userId, amount, sequence, createdAtMs: nowMs }
  return [
    ...moveTo(state, opened, (open) => itemOpened(open, {}, nowMs)),
    ...moveTo(state, after, () => bidPlaced(placed, before, after, extended, {})),
  ]
}

/** Nothing when the rules gave no head. */
function moveTo(
  state: State,
  head: Head | undefined,
  eventOf: (head: Head) => OutboxEvent,
): OutboxEvent[] {
  if (!head) return []
  state.head = head
  return [eventOf(head)]
}

/** The item as it is read from Postgres. */
function itemOf({ head, text }: State): Item {
  return itemFromRow({
    id: head.itemId,
    seller_id: head.sellerId,
    currency: head.currency,
    status: head.status,
    start_price: head.startPrice,
    min_increment: head.minIncrement,
    start_at: new Date(head.startAtMs),
    end_at: new Date(head.endAtMs),
    soft_close_window_ms: head.softClose.windowMs,
    soft_close_extension_ms: head.softClose.extensionMs,
    soft_close_max_extensions: head.softClose.maxExtensions,
    extension_count: head.extensionCount,
    current_highest_bid: head.currentHighestBid,
    highest_bidder_id: head.highestBidderId,
    sequence: head.sequence,
    outcome: head.outcome,
    version: head.version,
    title: text.title,
    description: text.description,
    images: [],
    category: text.category,
    created_at: new Date(startMs),
    updated_at: new Date(startMs),
    original_end_at: text.originalEndAt,
    cancel_reason: text.cancelReason,
  })
}
