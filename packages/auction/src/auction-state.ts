/**
 * What the rules know of an item: the state that its events have made. Times are whole milliseconds since 1970, money
 * is minor units of the item's currency.
 *
 * An item's life: scheduled → active → ended, or scheduled | active → cancelled. Within an item accepted bids have
 * sequences 1, 2, 3 … and strictly rising amounts, and its events versions 1, 2, 3 …
 */
/** Largest amount of money, in minor units: well inside 2^53, so that no peer can round it. */
export const MAX_AMOUNT_MINOR = 1_000_000_000_000_000n

/** Longest time from an item's start to its end. */
export const MAX_DURATION_MS = 366 * 24 * 3_600_000

/** Kinds of auction, see `formats.ts`. */
export type FormatName = 'english'

export type ItemStatus = 'scheduled' | 'active' | 'ended' | 'cancelled'
export type Outcome = 'sold' | 'unsold'

/** When a bid near the end moves the end, and how far: `soft-close.ts`. */
export type SoftClose = {
  /** `add`: the end moves by `extensionMs`. `reset`: to `windowMs` after the bid, never earlier. */
  mode: 'add' | 'reset'
  /** An accepted bid this close to the end moves the end. */
  windowMs: number
  /** By how much, in mode `add`. */
  extensionMs: number
  /** How often at most; 0 is never in mode `add` and without limit in mode `reset`. */
  maxExtensions: number
  /** The end moves this far beyond the original one at most; 0: without limit. */
  maxTotalMs: number
}

export const defaultSoftClose: SoftClose = {
  mode: 'add',
  windowMs: 30_000,
  extensionMs: 30_000,
  maxExtensions: 5,
  maxTotalMs: 0,
}

/** What an item is put up with; later only its end moves. */
export type Terms = {
  itemId: string
  sellerId: string
  /** ISO 4217. */
  currency: string
  format: FormatName
  startPrice: bigint
  /** 0: the increment comes from the price bands. */
  minIncrement: bigint
  startAtMs: number
  endAtMs: number
  softClose: SoftClose
}

export type AuctionState = Terms & {
  status: ItemStatus
  /** The end before bids moved it. */
  originalEndAtMs: number
  /** How often bids have moved the end. */
  extensionCount: number
  /** 0 before the first bid. */
  currentHighestBid: bigint
  /** Empty before the first bid. */
  highestBidderId: string
  /** Accepted bids so far. */
  sequence: bigint
  /** Null until the item has ended. */
  outcome: Outcome | null
  /** Of the last event: each moves it by exactly one. */
  version: bigint
}
