/**
 * A server stream that goes on for as long as somebody reads it: whenever it ends it is opened again, after a pause
 * that grows, and one that has gone quiet counts as ended. An error that another try cannot mend ends it for good.
 */
import { ConnectError } from '@connectrpc/connect'
import { backOffMs, pause } from './back-off.ts'
import { isFinal, isTokenRefused, retryDelayMsOf } from './errors.ts'

/** The server tells the time at least every ten seconds: twice missed is gone. */
const QUIET_LIMIT_MS = 21_000
const BACK_OFF = { leastMs: 300, mostMs: 5_000 }

/** `live`: the stream has told something. `lost`: it is over, and being opened again. */
export type Connection = 'live' | 'lost'

/** Whether anybody looks. While nobody does, the stream is let go of. */
export type Attention = {
  /** Resolves as soon as somebody does, or when `stop` aborts. */
  given: (stop: AbortSignal) => Promise<void>
  /** Calls `lost` once nobody does any more, until what it returns is called. */
  onLost: (lost: () => void) => () => void
}

export type WatchOptions = {
  /** Ends the stream without an error. */
  signal?: AbortSignal
  /** Told at each change. */
  onConnection?: (connection: Connection) => void
  attention?: Attention
  /** Between 0 and 1, for tests. */
  random?: () => number
}

/** @param open opens the stream; asked each time anew, so that it can go on where the last one ended */
export async function* resumedStream<Message>(
  open: (signal: AbortSignal) => AsyncIterable<Message>,
  options: WatchOptions,
): AsyncGenerator<Message, void> {
  const { signal = new AbortController().signal, onConnection, attention } = options
  const { random = Math.random } = options
  let connection: Connection | undefined
  const tell = (now: Connection): void => {
    if (connection !== now) onConnection?.(now)
    connection = now
  }
  for (let tries = 1; ; tries += 1) {
    await attention?.given(signal)
    if (signal.aborted) return
    const attempt = beginAttempt(open, signal, attention)
    let toldMs = 0
    try {
      for (;;) {
        const { done, value } = await attempt.next()
        if (done || signal.aborted) break
        tries = 0
        tell('live')
        yield value
      }
    } catch (error) {
      const reason = ConnectError.from(error)
      // What has begun was allowed: then it is about the moment, and the next opening says whether it lasts.
      const mayBeRenewed = tries === 1 && isTokenRefused(reason)
      if (tries > 0 && !signal.aborted && !attempt.isLetGo() && isFinal(reason) && !mayBeRenewed)
        throw reason
      toldMs = retryDelayMsOf(reason) ?? 0
    } finally {
      attempt.end()
    }
    if (signal.aborted) return
    if (attempt.isLetGo()) continue
    tell('lost')
    await pause(toldMs + backOffMs(Math.max(1, tries), BACK_OFF, random), signal)
  }
}

/** One opening of the stream, which ends with `stop`, by silence, or because nobody looks. */
function beginAttempt<Message>(
  open: (signal: AbortSignal) => AsyncIterable<Message>,
  stop: AbortSignal,
  attention: Attention | undefined,
) {
  const abort = new AbortController()
  let isLetGo = false
  const unwatch = attention?.onLost(() => {
    isLetGo = true
    abort.abort()
  })
  const messages = open(AbortSignal.any([stop, abort.signal]))[Symbol.asyncIterator]()
  return {
    isLetGo: () => isLetGo,
    /** How long its reader takes for a message is no silence. */
    next: async () => {
      const quiet = setTimeout(() => abort.abort(), QUIET_LIMIT_MS)
      return await messages.next().finally(() => clearTimeout(quiet))
    },
    end: () => {
      unwatch?.()
      abort.abort()
    },
  }
}
