/**
 * Kinds of auction: what a bid must be and what it does. A further one is a file with such a value and a row in
 * {@link formats}; times, sellers, cancelling and closing are the same for all (`decide.ts`).
 */
import type { AuctionState, FormatName } from './auction-state.ts'
import type { PlaceBid, Rejection } from './commands.ts'
import { english } from './english.ts'
import type { BidPlaced } from './events.ts'

export type Format = {
  /** What a bid on this state must be at least, in minor units. */
  minimumNextBid: (state: AuctionState) => bigint
  /**
   * Why this bid is rejected, whenever it comes; undefined when it is good. What it rejects it must reject in every
   * later state of the item, too: old states are asked.
   */
  rejectBid: (state: AuctionState, bid: PlaceBid) => Rejection | undefined
  /** What a good bid on an open item comes to. */
  acceptBid: (state: AuctionState, bid: PlaceBid, nowMs: number) => BidPlaced
}

export const formats: Readonly<Record<FormatName, Format>> = { english }
