/**
 * The rules of an auction: a state, a command and the time in, events or a rejection out. Reads no clock, touches no
 * database; whoever calls holds the item's row lock and passes the database's time, read while it is held.
 */
import { type AuctionState, MAX_DURATION_MS, type Terms } from './auction-state.ts'
import type { Caller, Command, PlaceBid, Rejection } from './commands.ts'
import type { Change, Created, Ended, Opened } from './events.ts'
import { evolve } from './evolve.ts'
import { formats } from './formats.ts'
import { softCloseFault } from './soft-close.ts'

export type Decision =
  /** In order; none when there was nothing to do. */
  | { events: readonly Change[]; rejection?: undefined }
  | { rejection: Rejection; events?: undefined }

/** @param nowMs the clock that decides */
export function decide(state: AuctionState, command: Command, nowMs: number): Decision {
  switch (command.kind) {
    case 'place_bid':
      return decideBid(state, command, nowMs)
    case 'edit': {
      const rejection = rejectChange(state, command.by, nowMs)
      if (rejection) return { rejection }
      return { events: [{ ...next(state, nowMs), type: 'edited', texts: command.texts }] }
    }
    case 'cancel': {
      const rejection = rejectChange(state, command.by, nowMs)
      if (rejection) return { rejection }
      if (state.sequence > 0n && !command.by.operator) return { rejection: 'has_bids' }
      return { events: [{ ...next(state, nowMs), type: 'cancelled', reason: command.reason }] }
    }
    case 'extend':
      return decideExtension(state, command, nowMs)
    case 'end_now':
      return decideEarlyEnd(state, command.by, nowMs)
    case 'settle':
      break
  }
  return { events: settle(state, nowMs) }
}

/** What a bid on this state must be at least, in minor units. */
export function minimumNextBid(state: AuctionState): bigint {
  return formats[state.format].minimumNextBid(state)
}

/**
 * A bid on a scheduled item whose time has come opens it first (the auctioneer may be late: the clock decides, not the
 * status): two events.
 */
function decideBid(state: AuctionState, bid: PlaceBid, nowMs: number): Decision {
  const rejection = rejectByState(state, nowMs) ?? rejectByBid(state, bid)
  if (rejection) return { rejection }
  const opened = open(state, nowMs)
  const { acceptBid } = formats[state.format]
  if (!opened) return { events: [acceptBid(state, bid, nowMs)] }
  return { events: [opened, acceptBid(evolve(state, opened), bid, nowMs)] }
}

function rejectByState(state: AuctionState, nowMs: number): Rejection | undefined {
  if (state.status === 'cancelled') return 'cancelled'
  if (state.status === 'ended' || nowMs >= state.endAtMs) return 'ended'
  if (nowMs < state.startAtMs) return 'not_started'
  return undefined
}

function rejectByBid(state: AuctionState, bid: PlaceBid): Rejection | undefined {
  if (bid.userId === state.sellerId) return 'own_item'
  return formats[state.format].rejectBid(state, bid)
}

/** Before its end by less than this, an old state is no longer asked: the reason may be about to change. */
const STALE_MARGIN_MS = 2_000

/**
 * What an old state already settles, without the lock: only rejections that no later event can undo, because the price
 * only rises and cancelling is final (an item that was ended early takes no bid, whatever the reason given). Never accepts. Near the known end, where the true reason may be "ended", it
 * leaves the answer to the database's clock; `nowMs` may therefore be any clock.
 */
export function rejectStale(
  state: AuctionState,
  bid: PlaceBid,
  nowMs: number,
): Rejection | undefined {
  if (state.status === 'cancelled') return 'cancelled'
  if (state.status !== 'active' || nowMs >= state.endAtMs - STALE_MARGIN_MS) return undefined
  return rejectByBid(state, bid)
}

/** Later only, and within the longest time. The seller may while nobody has bid, an operator always. */
function decideExtension(
  state: AuctionState,
  { by, endAtMs, reason }: Extract<Command, { kind: 'extend' }>,
  nowMs: number,
): Decision {
  const rejection = rejectChange(state, by, nowMs)
  if (rejection) return { rejection }
  if (state.sequence > 0n && !by.operator) return { rejection: 'has_bids' }
  if (endAtMs <= state.endAtMs) return { rejection: 'not_later' }
  if (endAtMs - state.startAtMs > MAX_DURATION_MS) return { rejection: 'too_long' }
  const who = by.operator ? 'operator' : 'seller'
  return { events: [{ ...next(state, nowMs), type: 'extended', endAtMs, by: who, reason }] }
}

/** The early hammer. The seller may once somebody has bid, an operator always. */
function decideEarlyEnd(state: AuctionState, by: Caller, nowMs: number): Decision {
  const rejection = rejectChange(state, by, nowMs)
  if (rejection) return { rejection }
  if (nowMs < state.startAtMs) return { rejection: 'not_started' }
  if (state.sequence === 0n && !by.operator) return { rejection: 'no_bids' }
  const opened = open(state, nowMs)
  // A bid of this very millisecond was in time: every bid is before the end.
  const ended = end(opened ? evolve(state, opened) : state, nowMs, nowMs + 1)
  return { events: opened ? [opened, ended] : [ended] }
}

/** Texts may be edited until the end; the seller may cancel while nobody has bid, an operator always. */
function rejectChange(state: AuctionState, by: Caller, nowMs: number): Rejection | undefined {
  if (by.userId !== state.sellerId && !by.operator) return 'not_seller'
  if (state.status === 'cancelled') return 'cancelled'
  if (state.status === 'ended' || nowMs >= state.endAtMs) return 'ended'
  return undefined
}

/** What is due: both, for an item whose whole time has passed unattended. */
function settle(state: AuctionState, nowMs: number): Change[] {
  const opened = open(state, nowMs)
  const ended = close(opened ? evolve(state, opened) : state, nowMs)
  return [opened, ended].filter((event) => event !== undefined)
}

function open(state: AuctionState, nowMs: number): Opened | undefined {
  if (state.status !== 'scheduled' || nowMs < state.startAtMs) return undefined
  return { type: 'opened', ...next(state, nowMs) }
}

function close(state: AuctionState, nowMs: number): Ended | undefined {
  if (state.status !== 'active' || nowMs < state.endAtMs) return undefined
  return end(state, nowMs, state.endAtMs)
}

function end(state: AuctionState, nowMs: number, endAtMs: number): Ended {
  const outcome = state.sequence > 0n ? 'sold' : 'unsold'
  return { type: 'ended', ...next(state, nowMs), outcome, endAtMs }
}

function next(state: AuctionState, nowMs: number): { version: bigint; atMs: number } {
  return { version: state.version + 1n, atMs: nowMs }
}

/** Puts an item up; `fault` says why it cannot be, in words for its seller. */
export function decideCreation(
  terms: Terms,
  nowMs: number,
): { event: Created; fault?: undefined } | { event?: undefined; fault: string } {
  const { startAtMs, endAtMs } = terms
  if (endAtMs <= nowMs) return { fault: 'end_at must be in the future' }
  if (endAtMs <= startAtMs) return { fault: 'end_at must be after start_at' }
  if (endAtMs - startAtMs > MAX_DURATION_MS) {
    return { fault: 'end_at must be at most 366 days after the start' }
  }
  const fault = softCloseFault(terms.softClose)
  if (fault) return { fault }
  return { event: { type: 'created', version: 1n, atMs: nowMs, terms } }
}
