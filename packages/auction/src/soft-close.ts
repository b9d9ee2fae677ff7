/** Soft close (anti-sniping): a bid near the end that takes the lead moves the end, so that others can answer it. */
import type { AuctionState, SoftClose } from './auction-state.ts'

/** The end of the auction after a good bid of this user now: never earlier than it was. */
export function endAfterBid(state: AuctionState, userId: string, nowMs: number): number {
  const { softClose, endAtMs } = state
  const { mode, windowMs, extensionMs, maxTotalMs } = softClose
  // A leader who raises their own bid outbids nobody: nobody needs time to answer.
  const takesLead = userId !== state.highestBidderId
  if (!takesLead || endAtMs - nowMs > windowMs || isUsedUp(state)) return endAtMs
  const wantedMs = mode === 'add' ? endAtMs + extensionMs : nowMs + windowMs
  const latestMs = maxTotalMs > 0 ? state.originalEndAtMs + maxTotalMs : wantedMs
  return Math.max(endAtMs, Math.min(wantedMs, latestMs))
}

function isUsedUp({ softClose, extensionCount }: AuctionState): boolean {
  const { mode, maxExtensions } = softClose
  return extensionCount >= maxExtensions && !(mode === 'reset' && maxExtensions === 0)
}

/** Why a new item cannot have this soft close, in words for its seller; undefined when it can. */
export function softCloseFault({ mode, windowMs, extensionMs }: SoftClose): string | undefined {
  // By less than the window, every one of a few bids in a row moves the end: all extensions within one second.
  if (mode === 'reset' || extensionMs >= windowMs) return undefined
  return 'soft_close.extension must be at least soft_close.window in mode ADD'
}
