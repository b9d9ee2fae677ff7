/**
 * A viewer whose stream is written by the library (gRPC and everything else over HTTP/2, compressed requests,
 * calls with a deadline): messages wait in a mailbox until the library asks for the next one. A full mailbox
 * is emptied, and its reader gets the latest state.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import type { Burst, StreamMessage } from './frame.ts'
import {
  BEHIND_LIMIT_MS,
  NOTHING_SEEN,
  type Source,
  TOLD_RECENTLY_MS,
  type Viewer,
  type ViewerEvents,
} from './viewer.ts'

/** Messages; a few hundred bytes each, so the same bound as for a socket. */
const MAILBOX_MAX = 256
/** The library's 140 µs for each message and reader, against 10 µs for a write. */
const UNITS = 14

export type MailboxViewer<Message extends StreamMessage> = Viewer & {
  /** Ends when `signal` aborts; throws the reason of `end`. */
  messages: (signal: AbortSignal) => AsyncGenerator<Message>
}

export type MailboxViewerOptions<Message extends StreamMessage> = {
  userId: string
  /** Whom frames are encoded for: `readerKey`. */
  reader: string
  source: Source
  events: ViewerEvents
  /** Tells the messages of this stream from others. */
  is: (message: StreamMessage) => message is Message
}

export function createMailboxViewer<Message extends StreamMessage>(
  options: MailboxViewerOptions<Message>,
): MailboxViewer<Message> {
  const { userId, reader, source, events, is } = options
  let waiting: Message[] = []
  let behindSinceMs: number | undefined
  let ended: ConnectError | undefined
  let wake: (() => void) | undefined
  let seen = NOTHING_SEEN
  let toldAtMs = 0

  function put(burst: Burst): void {
    seen = burst.last
    toldAtMs = Date.now()
    waiting.push(...burst.frames.map((frame) => frame.messageFor(reader)).filter(is))
    wake?.()
  }

  function end(reason: ConnectError): void {
    ended ??= reason
    wake?.()
  }

  return {
    userId,
    units: UNITS,
    end,
    send(burst) {
      const news = burst.after(seen)
      if (behindSinceMs !== undefined || !news) return
      if (waiting.length + news.frames.length <= MAILBOX_MAX) return put(news)
      waiting = []
      behindSinceMs = Date.now()
      events.fellBehind()
    },
    tick(nowMs) {
      if (behindSinceMs === undefined) {
        if (nowMs - toldAtMs < TOLD_RECENTLY_MS) return
        const clock = source.clock()
        // Otherwise there is something on its way, or to be read, and it tells the time as well.
        if (clock.last === seen && waiting.length === 0) put(clock)
      } else if (nowMs - behindSinceMs > BEHIND_LIMIT_MS) {
        events.dropped()
        end(
          new ConnectError('nothing was read for too long: connect again', Code.ResourceExhausted),
        )
      }
    },
    async *messages(signal) {
      while (!signal.aborted) {
        if (ended) throw ended
        if (behindSinceMs !== undefined) {
          behindSinceMs = undefined
          const latest = source.latest().after(seen)
          if (latest) put(latest)
        }
        const batch = waiting
        waiting = []
        yield* batch
        if (waiting.length > 0 || behindSinceMs !== undefined) continue
        const { promise, resolve } = Promise.withResolvers<void>()
        const stir = () => resolve()
        wake = stir
        signal.addEventListener('abort', stir, { once: true })
        if (!ended && !signal.aborted) await promise
        signal.removeEventListener('abort', stir)
        wake = undefined
      }
    },
  }
}
