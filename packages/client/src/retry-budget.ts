/**
 * How many retries all calls of a client may have together, so that clients do not keep a server down that has too
 * much to do. A token bucket: each call pays in a tenth, time pays in a little for clients with few calls, each retry
 * takes one out. As of Finagle (https://twitter.github.io/finagle/guide/Clients.html#retries).
 */

const PER_CALL = 0.1
const PER_SECOND = 2
/** What a client may have saved: a moment's trouble of many calls at once. */
const SAVED_MAX = 20

export type RetryBudget = {
  /** A call begins. */
  deposit: () => void
  /** Whether there may be a retry; then it has been paid for. */
  withdraw: () => boolean
}

export type RetryBudgetOptions = {
  savedMax?: number
  /** A clock that only goes forward. */
  nowMs?: () => number
}

export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { savedMax = SAVED_MAX, nowMs = () => performance.now() } = options
  let saved = savedMax
  let paidAtMs = nowMs()
  const pay = (tokens: number): void => {
    saved = Math.min(savedMax, saved + tokens)
  }
  return {
    deposit: () => pay(PER_CALL),
    withdraw() {
      const now = nowMs()
      pay(((now - paidAtMs) / 1_000) * PER_SECOND)
      paidAtMs = now
      if (saved < 1) return false
      saved -= 1
      return true
    },
  }
}
