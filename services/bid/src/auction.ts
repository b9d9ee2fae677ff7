/**
 * The rules of an auction, and nothing else: plain values in, a decision out. Imports nothing, reads no
 * clock, touches no database; whoever calls holds the item's row lock and passes the database's time.
 *
 * An item's life: scheduled → active → ended, or scheduled | active → cancelled. What bids change is its
 * head. Within an item accepted bids have sequences 1, 2, 3 … and strictly rising amounts.
 */

/** Largest amount of money, in minor units: well inside 2^53, so that no peer can round it. */
export const MAX_AMOUNT_MINOR = 1_000_000_000_000_000n

export type ItemStatus = 'scheduled' | 'active' | 'ended' | 'cancelled'
export type Outcome = 'sold' | 'unsold'

export type SoftClose = {
  /** An accepted bid this close to the end moves the end. */
  windowMs: number
  /** By how much. */
  extensionMs: number
  /** How often at most; 0 turns soft close off. */
  maxExtensions: number
}

export const defaultSoftClose: SoftClose = {
  windowMs: 30_000,
  extensionMs: 30_000,
  maxExtensions: 5,
}

/** An item as far as the rules care. Times are whole milliseconds since 1970, money is minor units. */
export type Head = {
  itemId: string
  sellerId: string
  currency: string
  status: ItemStatus
  startPrice: bigint
  /** 0: the increment comes from the price bands. */
  minIncrement: bigint
  startAtMs: number
  endAtMs: number
  softClose: SoftClose
  extensionCount: number
  /** 0 before the first bid. */
  currentHighestBid: bigint
  /** Empty before the first bid. */
  highestBidderId: string
  /** Accepted bids so far. */
  sequence: bigint
  outcome: Outcome | null
  /** Rises with every change of the item. */
  version: bigint
}

export type Bid = {
  userId: string
  amount: bigint
}

/** A bid that was accepted before under the idempotency key of the one being decided. */
export type PlacedBid = {
  id: string
  itemId: string
  userId: string
  amount: bigint
  sequence: bigint
  createdAtMs: number
}

/** Why the rules refuse a bid. */
export type Refusal = 'too_low' | 'not_started' | 'ended' | 'cancelled' | 'own_item' | 'key_reused'

export type Decision =
  /** `opened`: the head between the opening and the bid, when this bid is what opens the item. */
  | { kind: 'accepted'; opened: Head | undefined; head: Head; extended: boolean }
  | { kind: 'repeated'; bid: PlacedBid }
  | { kind: 'refused'; refusal: Refusal }

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

/** What a bid on this head must be at least, in minor units. */
export function minimumNextBid(head: Head): bigint {
  if (head.sequence === 0n) return head.startPrice
  return head.currentHighestBid + (head.minIncrement || bandIncrement(head.currentHighestBid))
}

function bandIncrement(price: bigint): bigint {
  return incrementBands.find((band) => price < band.below)?.increment ?? TOP_INCREMENT
}

/**
 * Decides one bid on the locked head. A bid on a scheduled item whose time has come opens it first (the
 * auctioneer may be late: the clock decides, not the status): two changes, two versions.
 *
 * @param nowMs the database's `clock_timestamp()`, read while the item's lock is held
 * @param earlier what this bidder's idempotency key already placed, on any item
 */
export function decideBid(head: Head, bid: Bid, nowMs: number, earlier?: PlacedBid): Decision {
  if (earlier) {
    const same = earlier.itemId === head.itemId && earlier.amount === bid.amount
    return same ? { kind: 'repeated', bid: earlier } : { kind: 'refused', refusal: 'key_reused' }
  }
  const refusal = refusalByState(head, nowMs) ?? refusalByBid(head, bid)
  if (refusal) return { kind: 'refused', refusal }

  const opened = openItem(head, nowMs)
  const open = opened ?? head
  const extended =
    // A leader who raises their own bid outbids nobody: nobody needs time to answer.
    bid.userId !== open.highestBidderId &&
    open.extensionCount < open.softClose.maxExtensions &&
    open.endAtMs - nowMs <= open.softClose.windowMs
  return {
    kind: 'accepted',
    opened,
    extended,
    head: {
      ...open,
      currentHighestBid: bid.amount,
      highestBidderId: bid.userId,
      sequence: open.sequence + 1n,
      version: open.version + 1n,
      endAtMs: extended ? open.endAtMs + open.softClose.extensionMs : open.endAtMs,
      extensionCount: extended ? open.extensionCount + 1 : open.extensionCount,
    },
  }
}

function refusalByState(head: Head, nowMs: number): Refusal | undefined {
  if (head.status === 'cancelled') return 'cancelled'
  if (head.status === 'ended' || nowMs >= head.endAtMs) return 'ended'
  if (nowMs < head.startAtMs) return 'not_started'
  return undefined
}

function refusalByBid(head: Head, bid: Bid): Refusal | undefined {
  if (bid.userId === head.sellerId) return 'own_item'
  if (bid.amount < minimumNextBid(head)) return 'too_low'
  return undefined
}

/** Before its end by less than this, an old head is no longer asked: the reason may be about to change. */
const EARLY_ANSWER_MARGIN_MS = 2_000

/**
 * What an old head already settles, without the lock: only refusals that no later bid can undo, because
 * the price only rises and cancelling is final. Never accepts. Near the known end, where the true reason
 * may be "ended", it leaves the answer to the database's clock; `nowMs` may therefore be any clock.
 */
export function refuseEarly(oldHead: Head, bid: Bid, nowMs: number): Refusal | undefined {
  if (oldHead.status === 'cancelled') return 'cancelled'
  if (oldHead.status !== 'active' || nowMs >= oldHead.endAtMs - EARLY_ANSWER_MARGIN_MS)
    return undefined
  return refusalByBid(oldHead, bid)
}

/** The head once the hammer has fallen; undefined while the item is not due or already settled. */
export function closeItem(head: Head, nowMs: number): Head | undefined {
  if (head.status !== 'active' || nowMs < head.endAtMs) return undefined
  const outcome = head.sequence > 0n ? 'sold' : 'unsold'
  return { ...head, status: 'ended', outcome, version: head.version + 1n }
}

/** The head once bidding has opened; undefined while it is not due or already open. */
export function openItem(head: Head, nowMs: number): Head | undefined {
  if (head.status !== 'scheduled' || nowMs < head.startAtMs) return undefined
  return { ...head, status: 'active', version: head.version + 1n }
}

/** Who asks for a change of an item. */
export type Caller = { userId: string; operator: boolean }

export type ChangeRefusal = 'not_seller' | 'has_bids' | 'ended' | 'cancelled'

/** The seller may take an item back while nobody has bid; an operator always. Not after its end. */
export function cancelItem(
  head: Head,
  caller: Caller,
  nowMs: number,
): { head: Head } | { refusal: ChangeRefusal } {
  const refusal = refuseChange(head, caller, nowMs)
  if (refusal) return { refusal }
  if (head.sequence > 0n && !caller.operator) return { refusal: 'has_bids' }
  return { head: { ...head, status: 'cancelled', version: head.version + 1n } }
}

/** Title, description, images and category may be edited until the end. */
export function refuseChange(head: Head, caller: Caller, nowMs: number): ChangeRefusal | undefined {
  if (caller.userId !== head.sellerId && !caller.operator) return 'not_seller'
  if (head.status === 'cancelled') return 'cancelled'
  if (head.status === 'ended' || nowMs >= head.endAtMs) return 'ended'
  return undefined
}

/** Longest time from an item's start to its end. */
export const MAX_DURATION_MS = 366 * 24 * 3_600_000

/** Why an item with these times cannot be put up, in words for its seller; undefined when it can. */
export function refuseTimes(startAtMs: number, endAtMs: number, nowMs: number): string | undefined {
  if (endAtMs <= nowMs) return 'end_at must be in the future'
  if (endAtMs <= startAtMs) return 'end_at must be after start_at'
  if (endAtMs - startAtMs > MAX_DURATION_MS)
    return 'end_at must be at most 366 days after the start'
  return undefined
}
