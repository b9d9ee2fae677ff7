/**
 * Follows a server stream for as long as somebody looks at it: whenever it ends it is opened again, after a
 * pause that grows, and a stream that has gone quiet counts as ended. Errors that another try cannot mend
 * end it for good. Out of sight it is let go of, and opened again when the tab is shown.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import { onTabAway, tabShown } from './tab-visibility.ts'

/** `connecting`: never been live yet. `lost`: was live, being opened again. `failed`: given up, see the error. */
export type Connection = 'connecting' | 'live' | 'lost' | 'failed'

/** The server tells the time at least every ten seconds: twice missed is gone. */
const QUIET_LIMIT_MS = 21_000
/** An answer that takes longer leaves something old on the page long enough to say so. */
const LATE_MS = 1_000
const RETRY_MIN_MS = 300
const RETRY_MAX_MS = 5_000

const finalCodes = new Set([
  Code.NotFound,
  Code.InvalidArgument,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.Unimplemented,
])

export type FollowOptions<Message> = {
  /** Opens the stream; asked again each time, so that it can go on where the last one ended. */
  open: (signal: AbortSignal) => AsyncIterable<Message>
  onMessage: (message: Message) => void
  onConnection: (connection: Connection, error?: ConnectError) => void
}

/** Begins to follow; call what it returns to stop. */
export function followStream<Message>(options: FollowOptions<Message>): () => void {
  const stop = new AbortController()
  void follow(options, stop.signal)
  return () => stop.abort()
}

async function follow<Message>(
  { open, onMessage, onConnection }: FollowOptions<Message>,
  stop: AbortSignal,
): Promise<void> {
  let retryMs = RETRY_MIN_MS
  let wasLive = false
  for (;;) {
    await tabShown(stop)
    if (stop.aborted) return
    const attempt = beginAttempt(stop, () => wasLive && onConnection('lost'))
    try {
      for await (const message of open(attempt.signal)) {
        attempt.heard()
        if (stop.aborted) break
        onMessage(message)
        onConnection('live')
        wasLive = true
        retryMs = RETRY_MIN_MS
      }
    } catch (error) {
      const reason = ConnectError.from(error)
      if (!stop.aborted && finalCodes.has(reason.code)) return onConnection('failed', reason)
    } finally {
      attempt.end()
    }
    if (stop.aborted) return
    if (attempt.isAway()) continue
    onConnection(wasLive ? 'lost' : 'connecting')
    await pause(retryMs * (0.5 + Math.random()), stop)
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
  }
}

/** One opening of the stream, which ends with `stop`, by silence, or because the tab is out of sight. */
function beginAttempt(stop: AbortSignal, onLate: () => void) {
  const abort = new AbortController()
  let isAway = false
  const unwatch = onTabAway(() => {
    isAway = true
    abort.abort()
  })
  const late = setTimeout(onLate, LATE_MS)
  let quiet = setTimeout(() => abort.abort(), QUIET_LIMIT_MS)
  return {
    signal: AbortSignal.any([stop, abort.signal]),
    isAway: () => isAway,
    heard: () => {
      clearTimeout(late)
      clearTimeout(quiet)
      quiet = setTimeout(() => abort.abort(), QUIET_LIMIT_MS)
    },
    end: () => {
      unwatch()
      clearTimeout(late)
      clearTimeout(quiet)
    },
  }
}

/** Ends early when asked to stop, or when the browser says that the network is back. */
function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      window.removeEventListener('online', end)
      stop.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    window.addEventListener('online', end)
    stop.addEventListener('abort', end)
  })
}
