/** The ascending auction: each bid beats the last by an increment, and one near the end may move the end. */
import type { AuctionState } from './auction-state.ts'
import type { PlaceBid, Rejection } from './commands.ts'
import type { BidPlaced } from './events.ts'
import { endAfterBid } from './soft-close.ts'

/** Default increments by price band, version 1: below `below` minor units a bid must add `increment`. */
export const incrementBands = [
  { below: 100n, increment: 5n },
  { below: 500n, increment: 25n },
  { below: 2_500n, increment: 50n },
  { below: 10_000n, increment: 100n },
  { below: 25_000n, increment: 250n },
  { below: 50_000n, increment: 500n },
  { below: 100_000n, increment: 1_000n },
  { below: 250_000n, increment: 2_500n },
  { below: 500_000n, increment: 5_000n },
] as const
const TOP_INCREMENT = 10_000n

export const english = { minimumNextBid, rejectBid, acceptBid }

function minimumNextBid(state: AuctionState): bigint {
  if (state.sequence === 0n) return state.startPrice
  return state.currentHighestBid + (state.minIncrement || bandIncrement(state.currentHighestBid))
}

function bandIncrement(price: bigint): bigint {
  return incrementBands.find((band) => price < band.below)?.increment ?? TOP_INCREMENT
}

function rejectBid(state: AuctionState, bid: PlaceBid): Rejection | undefined {
  return bid.amount < minimumNextBid(state) ? 'too_low' : undefined
}

function acceptBid(state: AuctionState, bid: PlaceBid, nowMs: number): BidPlaced {
  const endAtMs = endAfterBid(state, bid.userId, nowMs)
  return {
    type: 'bid_placed',
    version: state.version + 1n,
    atMs: nowMs,
    userId: bid.userId,
    amount: bid.amount,
    sequence: state.sequence + 1n,
    extended: endAtMs > state.endAtMs,
    endAtMs,
  }
}
