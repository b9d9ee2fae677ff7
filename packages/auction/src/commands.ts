/** What may be asked of an item that is there, by whom, and why the rules may say no. */
import type { ItemTexts } from './events.ts'

/** Who asks for a change of an item. */
export type Caller = { userId: string; operator: boolean }

export type PlaceBid = { kind: 'place_bid'; userId: string; amount: bigint }

export type Command =
  | PlaceBid
  /** Texts that are left out stay as they are. */
  | { kind: 'edit'; by: Caller; texts: Partial<ItemTexts> }
  | { kind: 'cancel'; by: Caller; reason: string }
  /** Moves the end to a later time. */
  | { kind: 'extend'; by: Caller; endAtMs: number; reason: string }
  /** Ends the auction before its time: sold to the leader. */
  | { kind: 'end_now'; by: Caller }
  /** Opens the item when its start has come, and closes it when its end has: the auctioneer asks. */
  | { kind: 'settle' }

export type Rejection =
  | 'too_low'
  | 'not_started'
  | 'ended'
  | 'cancelled'
  | 'own_item'
  | 'not_seller'
  | 'has_bids'
  | 'no_bids'
  | 'not_later'
  | 'too_long'
