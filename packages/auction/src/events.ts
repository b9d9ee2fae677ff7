/** What has happened to an item, in its own order: all that its state is made of. */
import type { Outcome, Terms } from './auction-state.ts'

/** What people read of an item; the rules keep it and never look at it. */
export type ItemTexts = {
  title: string
  description: string
  images: readonly string[]
  category: string
}

type Happened<Type extends string> = {
  type: Type
  /** 1, 2, 3 … within an item, without gaps or repeats. */
  version: bigint
  /** By the clock that decided. */
  atMs: number
}

export type Created = Happened<'created'> & { terms: Terms }
export type Opened = Happened<'opened'>
export type BidPlaced = Happened<'bid_placed'> & {
  userId: string
  amount: bigint
  sequence: bigint
  /** The bid has moved the end. */
  extended: boolean
  /** The end as of this bid. */
  endAtMs: number
}
export type Edited = Happened<'edited'> & { texts: Partial<ItemTexts> }
/** Somebody other than a bid moved the end. */
export type Extended = Happened<'extended'> & {
  /** The end as of now; bids move it on from here. */
  endAtMs: number
  by: 'seller' | 'operator'
  /** In the words of who asked; may be empty. */
  reason: string
}
export type Cancelled = Happened<'cancelled'> & { reason: string }
/** Written when the auctioneer came by, or somebody ended the auction before its time. */
export type Ended = Happened<'ended'> & {
  outcome: Outcome
  /** Since when no bid was taken. */
  endAtMs: number
}

/** What happens to an item that is there. */
export type Change = Opened | BidPlaced | Edited | Extended | Cancelled | Ended

export type AuctionEvent = Created | Change
