/** `bid.placed` events as the write side makes them, for scenarios that begin behind it. */
import { randomUUIDv7 } from 'node:crypto'
import { type AuctionState, defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import { decide, minimumNextBid } from '@bidmesh/auction/decide.ts'
import { created, evolve } from '@bidmesh/auction/evolve.ts'
import { type EncodedEvent, encodeEvent } from '@bidmesh/events/encode-event.ts'

export type SampleEvent = { event: EncodedEvent; amount: bigint }

/**
 * Rising bids by random users on random items.
 *
 * @param count events @param items different items (≥ 1) @param users different bidders (≥ 1)
 */
export function sampleBidEvents(count: number, items: number, users: number): SampleEvent[] {
  const nowMs = Date.now()
  const states = Array.from({ length: items }, () => newItem(nowMs))
  return Array.from({ length: count }, () => {
    const index = Math.floor(Math.random() * items)
    const before = states[index] ?? newItem(nowMs)
    const userId = `bidder-${Math.floor(Math.random() * users)}`
    const amount = minimumNextBid(before)
    const { events, rejection } = decide(before, { kind: 'place_bid', userId, amount }, nowMs)
    const [placed] = events ?? []
    if (!placed) throw new Error(`a sample bid was rejected: ${rejection}`)
    const after = evolve(before, placed)
    states[index] = after
    const context = { bidId: randomUUIDv7(), title: '', category: '', trace: {} }
    return { event: encodeEvent(placed, before, after, context), amount }
  })
}

/** An item without bids that ends tomorrow; increment 1. */
export function newItem(nowMs: number): AuctionState {
  const terms = {
    itemId: randomUUIDv7(),
    sellerId: 'seller',
    currency: 'USD',
    format: 'english',
    startPrice: 1n,
    minIncrement: 1n,
    startAtMs: nowMs,
    endAtMs: nowMs + 86_400_000,
    softClose: defaultSoftClose,
  } as const
  return created({ type: 'created', version: 1n, atMs: nowMs, terms })
}
