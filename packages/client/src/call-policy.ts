/**
 * What every call of a client has: a deadline, the caller's token, and another try where that is safe and may help.
 * What must stay true: a call ends by its deadline, whatever its retries; what is not safe is sent once; and clients
 * of a server that is away ask it little more than once for each call.
 *
 * Around a transport rather than as an interceptor of it: an interceptor is called within one deadline and once a call.
 */
import type { Transport } from '@connectrpc/connect'
import { backOffMs, pause } from './back-off.ts'
import { callError, isUnanswered, retryDelayMsOf } from './errors.ts'
import { createRetryBudget, type RetryBudget } from './retry-budget.ts'
import { safeCall } from './safe-calls.ts'

/** Whoever waits longer has gone away. */
const TIMEOUT_MS = 10_000
/** A connection may be a black hole: half the deadline is left for another. */
const ATTEMPT_TIMEOUT_MS = 5_000
/** With these pauses: what takes longer than a second is not a moment's trouble. */
const ATTEMPTS = 4
const BACK_OFF = { leastMs: 100, mostMs: 2_000 }

export type CallPolicy = {
  /** The caller's bearer token: asked for with every try, so that it may be a fresh one. */
  token?: () => string | Promise<string>
  /** Of a call that is no stream, with all its tries; default 10 s. A call's own `timeoutMs` comes before it. */
  timeoutMs?: number
  /** Of one try of a call that is safe to repeat; default 5 s. */
  attemptTimeoutMs?: number
  /** Tries in all, the first included; default 4. */
  attempts?: number
  /** Shared by all calls; default one of the transport's own. */
  budget?: RetryBudget
  /** Between 0 and 1, for tests. */
  random?: () => number
}

type Header = Parameters<Transport['unary']>[3]

/** The transport, with the policy around each of its calls. */
export function withPolicy(transport: Transport, policy: CallPolicy = {}): Transport {
  const { budget = createRetryBudget(), random = Math.random, attempts = ATTEMPTS } = policy
  const { attemptTimeoutMs = ATTEMPT_TIMEOUT_MS, token } = policy

  async function withToken(header: Header): Promise<Header> {
    if (!token) return header
    const all = new Headers(header)
    if (!all.has('authorization')) all.set('authorization', `Bearer ${await token()}`)
    return all
  }

  return {
    async unary(method, signal, timeoutMs = policy.timeoutMs ?? TIMEOUT_MS, header, init, values) {
      const { message, isSafe } = safeCall(method, init)
      // As Connect has it, 0 is none.
      const endMs = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity
      budget.deposit()
      for (let tries = 1; ; tries += 1) {
        const headers = await withToken(header)
        const leftMs = Math.max(1, Math.ceil(endMs - performance.now()))
        const limitMs = isSafe ? Math.min(leftMs, attemptTimeoutMs) : leftMs
        const limit = Number.isFinite(limitMs) ? limitMs : 0
        try {
          return await transport.unary(method, signal, limit, headers, message, values)
        } catch (error) {
          const reason = callError(error)
          const mayHelp = isSafe && !signal?.aborted && isUnanswered(reason) && tries < attempts
          const toldMs = retryDelayMsOf(reason) ?? 0
          const waitMs = toldMs + backOffMs(tries, BACK_OFF, random)
          const isInTime = performance.now() + waitMs < endMs
          if (!mayHelp || !isInTime || !budget.withdraw()) throw reason
          await pause(waitMs, signal)
          if (signal?.aborted) throw reason
        }
      }
    },
    // A stream that has begun cannot be begun again here: see resumed-stream.ts.
    stream: async (method, signal, timeoutMs, header, input, values) =>
      await transport.stream(method, signal, timeoutMs, await withToken(header), input, values),
  }
}
