/** One item that changes by the rules and with the events of the write side, in memory, for tests. */
import { type AuctionState, defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import type { Command } from '@bidmesh/auction/commands.ts'
import { decide, minimumNextBid } from '@bidmesh/auction/decide.ts'
import { created, evolve } from '@bidmesh/auction/evolve.ts'
import { type EncodedEvent, encodeEvent } from '@bidmesh/events/encode-event.ts'
import { itemMessage } from '@bidmesh/events/item-message.ts'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { decodeItemEvent, type ItemEvent } from '@bidmesh/events/decode-event.ts'

export const itemId = '018f0000-0000-7000-8000-000000000001'
const startMs = Date.UTC(2026, 0, 1)
const seller = 'sam'
const operator = { userId: 'olga', operator: true }

/** `bid` on an item that nobody has opened yet opens it; `extending bid` is one at the last moment. */
export type ChangeKind =
  | 'bid'
  | 'extending bid'
  | 'open'
  | 'update'
  | 'extend'
  | 'end'
  | 'end early'
  | 'cancel'

export type Auction = {
  item: () => Item
  /** What a change came to; nothing when the rules reject it. */
  change: (kind: ChangeKind, userId?: string) => ItemEvent[]
}

type Text = {
  title: string
  category: string
  description: string
  cancelReason: string
}

type Running = { state: AuctionState; text: Text; nowMs: number }

/** An item that has started and that nobody has opened. Time passes only as changes need it. */
export function createAuction(description = ''): Auction {
  const terms = {
    itemId,
    sellerId: seller,
    currency: 'EUR',
    format: 'english',
    startPrice: 1_000n,
    minIncrement: 100n,
    startAtMs: startMs,
    endAtMs: startMs + 3_600_000,
    softClose: { ...defaultSoftClose, maxExtensions: 1_000 },
  } as const
  const state = created({ type: 'created', version: 1n, atMs: startMs - 1, terms })
  const text = { title: 'Brass telescope', category: 'optics', description, cancelReason: '' }
  const running: Running = { state, text, nowMs: startMs }
  return {
    item: () => itemOf(running),
    change: (kind, userId = 'ann') => {
      running.nowMs += 1
      return carryOut(running, commandFor(running, kind, userId)).map(({ type, payload }) => {
        const event = decodeItemEvent(type, payload)
        if (!event) throw new Error(`an event of a type that live does not know: ${type}`)
        return event
      })
    },
  }
}

/** Moves the time to where the change wants it. */
function commandFor(running: Running, kind: ChangeKind, userId: string): Command {
  const { state, text } = running
  const amount = minimumNextBid(state)
  switch (kind) {
    case 'bid':
      return { kind: 'place_bid', userId, amount }
    case 'extending bid': {
      running.nowMs = Math.max(running.nowMs, state.endAtMs - 1_000)
      // Who leads already gets no extension.
      return {
        kind: 'place_bid',
        userId: userId === state.highestBidderId ? 'eve' : userId,
        amount,
      }
    }
    case 'update': {
      const by = { userId: seller, operator: false }
      return { kind: 'edit', by, texts: { title: `${text.title}!` } }
    }
    case 'cancel':
      return { kind: 'cancel', by: operator, reason: 'broken' }
    case 'extend':
      return { kind: 'extend', by: operator, endAtMs: state.endAtMs + 60_000, reason: 'an outage' }
    case 'end early':
      return { kind: 'end_now', by: operator }
    case 'end':
      if (state.status === 'active') running.nowMs = Math.max(running.nowMs, state.endAtMs)
      break
    case 'open':
  }
  return { kind: 'settle' }
}

/** Nothing when the rules reject it. */
function carryOut(running: Running, command: Command): EncodedEvent[] {
  const { events = [] } = decide(running.state, command, running.nowMs)
  return events.map((event) => {
    const before = running.state
    const state = evolve(before, event)
    running.state = state
    const { text } = running
    if (event.type === 'edited') text.title = event.texts.title ?? text.title
    if (event.type === 'cancelled') text.cancelReason = event.reason
    const bidId = `018f0000-0000-7000-8000-${String(state.sequence).padStart(12, '0')}`
    const { title, category } = text
    return encodeEvent(event, before, state, { bidId, title, category, trace: {} })
  })
}

/** The item as it is read from Postgres. */
function itemOf({ state, text }: Running): Item {
  return itemMessage(state, {
    ...text,
    images: [],
    createdAt: new Date(startMs),
    updatedAt: new Date(startMs),
  })
}
