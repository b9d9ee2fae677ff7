/** `bid.placed` events as the write side makes them, for scenarios that begin behind it. */
import { randomUUIDv7 } from 'node:crypto'
import { defaultSoftClose, type Head, type PlacedBid } from '@bidmesh/bid/auction.ts'
import { bidPlaced, type OutboxEvent } from '@bidmesh/bid/events.ts'

export type SampleEvent = { event: OutboxEvent; amount: bigint }

/**
 * Rising bids by random users on random items.
 *
 * @param count events @param items different items (≥ 1) @param users different bidders (≥ 1)
 */
export function sampleBidEvents(count: number, items: number, users: number): SampleEvent[] {
  const nowMs = Date.now()
  const heads = Array.from({ length: items }, () => newHead(nowMs))
  return Array.from({ length: count }, () => {
    const item = Math.floor(Math.random() * items)
    const before = heads[item] ?? newHead(nowMs)
    const userId = `bidder-${Math.floor(Math.random() * users)}`
    const sequence = before.sequence + 1n
    const after = {
      ...before,
      sequence,
      version: before.version + 1n,
      currentHighestBid: before.currentHighestBid + 1n,
      highestBidderId: userId,
    }
    heads[item] = after
    const bid: PlacedBid = {
      id: randomUUIDv7(),
      itemId: before.itemId,
      userId,
      amount: after.currentHighestBid,
      sequence,
      createdAtMs: nowMs,
    }
    return { event: bidPlaced(bid, before, after, false, {}), amount: bid.amount }
  })
}

/** An item without bids that ends tomorrow; increment 1. */
export function newHead(nowMs: number): Head {
  return {
    itemId: randomUUIDv7(),
    sellerId: 'seller',
    currency: 'USD',
    status: 'active',
    startPrice: 1n,
    minIncrement: 1n,
    startAtMs: nowMs,
    endAtMs: nowMs + 86_400_000,
    softClose: defaultSoftClose,
    extensionCount: 0,
    currentHighestBid: 0n,
    highestBidderId: '',
    sequence: 0n,
    outcome: null,
    version: 1n,
  }
}
