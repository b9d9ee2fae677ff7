/**
 * What every call of a client has: a deadline, the caller's token, and another try where that is safe and may help.
 * What must stay true: a call ends by its deadline, whatever its retries; what is not safe is sent once; and clients
 * of a server that is away ask it little more than once for each call.
 *
 * Around a transport rather than as an interceptor of it: an interceptor is called within one deadline and once a call.
 */
import type { StreamResponse, Transport } from '@connectrpc/connect'
import { backOffMs, pause } from './back-off.ts'
import { callError, isTokenRefused, isUnanswered, retryDelayMsOf } from './errors.ts'
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
  /**
   * The caller's bearer token: asked for with every try, so that it may be a fresh one; undefined: nobody in particular.
   * Called with a token that the server has just refused, it is asked for another: the call is then sent once more.
   */
  token?: (refused?: string) => string | undefined | Promise<string | undefined>
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

  /** With the token that was added, if one was. */
  async function withToken(header: Header, refused?: string) {
    const headers = new Headers(header)
    if (!token || headers.has('authorization')) return { headers }
    const shown = await token(refused)
    if (shown !== undefined) headers.set('authorization', `Bearer ${shown}`)
    return { headers, shown }
  }

  return {
    async unary(method, signal, timeoutMs = policy.timeoutMs ?? TIMEOUT_MS, header, init, values) {
      const { message, isSafe } = safeCall(method, init)
      // As Connect has it, 0 is none.
      const endMs = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity
      budget.deposit()
      let caller = await withToken(header)
      let isRenewed = false
      for (let tries = 1; ; tries += 1) {
        if (tries > 1) caller = await withToken(header)
        const leftMs = Math.max(1, Math.ceil(endMs - performance.now()))
        const limitMs = isSafe ? Math.min(leftMs, attemptTimeoutMs) : leftMs
        const limit = Number.isFinite(limitMs) ? limitMs : 0
        try {
          return await transport.unary(method, signal, limit, caller.headers, message, values)
        } catch (error) {
          const reason = callError(error)
          // Nothing of it was done. Once: who refuses a token that is new refuses the next as well.
          if (!isRenewed && caller.shown !== undefined && isTokenRefused(reason)) {
            isRenewed = true
            const { shown } = caller
            caller = await withToken(header, shown)
            if (caller.shown === undefined || caller.shown === shown) throw reason
            tries -= 1
            continue
          }
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
    stream: async (method, signal, timeoutMs, header, input, values) => {
      const { headers, shown } = await withToken(header)
      const call = transport.stream(method, signal, timeoutMs, headers, input, values)
      if (!token || shown === undefined) return await call
      return await renewing(call, async () => void (await token(shown)))
    },
  }
}

/** The stream; `renew` is called when its token is refused, at the beginning or once it has ended. */
async function renewing<R extends StreamResponse>(
  call: Promise<R>,
  renew: () => Promise<void>,
): Promise<R> {
  const told = async (error: unknown): Promise<never> => {
    if (isTokenRefused(error)) await renew()
    throw error
  }
  const response = await call.catch(told)
  return { ...response, message: onError(response.message, told) }
}

/** The same, after `told` has been told of an error. */
async function* onError<T>(
  messages: AsyncIterable<T>,
  told: (error: unknown) => Promise<never>,
): AsyncGenerator<T> {
  try {
    yield* messages
  } catch (error) {
    await told(error)
  }
}
