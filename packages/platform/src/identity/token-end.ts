/** What lasts longer than the token of who asked for it ends with the token. */
import { tokenExpired } from './identity-errors.ts'
import type { Principal } from './principal.ts'

/** The most that setTimeout takes, 25 days: no stream lasts so long. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

const nothing = (): void => undefined

/** Calls `end` when the caller is not believed any more; returns what calls that off. */
export function atTokenEnd(principal: Principal, end: () => void): () => void {
  if (principal.kind !== 'identified' || principal.expiresAtMs === undefined) return nothing
  const leftMs = principal.expiresAtMs - Date.now()
  const timer = setTimeout(end, Math.min(Math.max(leftMs, 0), LONGEST_TIMER_MS))
  return () => clearTimeout(timer)
}

/** A call that aborts with its own signal and when the caller's token ends, which it then fails with. */
export type LimitedCall = {
  signal: AbortSignal
  /** Throws when the token has ended. */
  check: () => void
  end: () => void
}

export function untilTokenEnd(principal: Principal, signal: AbortSignal): LimitedCall {
  if (principal.kind !== 'identified' || principal.expiresAtMs === undefined) {
    return { signal, check: nothing, end: nothing }
  }
  const limited = new AbortController()
  let isOver = false
  const abort = (): void => limited.abort(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  const callOff = atTokenEnd(principal, () => {
    isOver = true
    limited.abort(tokenExpired())
  })
  return {
    signal: limited.signal,
    check: () => {
      if (isOver) throw tokenExpired()
    },
    end: () => {
      callOff()
      signal.removeEventListener('abort', abort)
    },
  }
}
