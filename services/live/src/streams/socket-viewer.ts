/**
 * A viewer on a connection of its own: bytes that others get as well are written to the socket, past Node's
 * response, which would frame them again for each reader. (On HTTP/2 the stream takes the socket's place.)
 *
 * What a slow reader has not taken is at most what the socket holds (64 KiB, plus one burst) and the
 * system's send buffer.
 */
import type { Writable } from 'node:stream'
import type { ConnectError } from '@connectrpc/connect'
import { type Burst, framed } from './frame.ts'
import type { StreamProtocol } from './stream-protocol.ts'
import {
  BEHIND_LIMIT_MS,
  NOTHING_SEEN,
  type Source,
  TOLD_RECENTLY_MS,
  type Viewer,
  type ViewerEvents,
} from './viewer.ts'

export type SocketViewerOptions = {
  /** Its head has been written, and says chunked where the protocol's format is. */
  response: { end: () => unknown }
  socket: Writable
  protocol: StreamProtocol
  userId: string
  /** Whom frames are encoded for: `readerKey`. */
  reader: string
  source: Source
  events: ViewerEvents
  /** Told once why the stream ends, when it is not its reader who leaves. */
  ended: (reason: ConnectError) => void
}

export class SocketViewer implements Viewer {
  readonly userId: string
  readonly units = 1
  readonly #reader: string
  readonly #response: { end: () => unknown }
  readonly #socket: Writable
  readonly #protocol: StreamProtocol
  readonly #source: Source
  readonly #events: ViewerEvents
  readonly #tellEnd: (reason: ConnectError) => void
  /** Since when there are bytes that the reader has not taken, by the process clock. */
  #fullSinceMs: number | undefined
  /** Something was left out meanwhile. */
  #missed = false
  #ended = false
  #seen = NOTHING_SEEN
  #toldAtMs = 0

  constructor(options: SocketViewerOptions) {
    this.userId = options.userId
    this.#reader = options.reader
    this.#response = options.response
    this.#socket = options.socket
    this.#protocol = options.protocol
    this.#source = options.source
    this.#events = options.events
    this.#tellEnd = options.ended
  }

  send(burst: Burst): void {
    // A connection that is gone takes nothing; that is not slow.
    if (this.#ended || this.#socket.destroyed) return
    const news = burst.after(this.#seen)
    if (!news) return
    if (this.#fullSinceMs === undefined) return this.#write(news)
    if (this.#missed) return
    this.#missed = true
    this.#events.fellBehind()
  }

  tick(nowMs: number): void {
    if (this.#fullSinceMs === undefined) this.#tellTime(nowMs)
    else if (nowMs - this.#fullSinceMs > BEHIND_LIMIT_MS && !this.#socket.destroyed) {
      this.#events.dropped()
      // It would not read a farewell either.
      this.#socket.destroy()
    }
  }

  #tellTime(nowMs: number): void {
    if (nowMs - this.#toldAtMs < TOLD_RECENTLY_MS) return
    const clock = this.#source.clock()
    // Otherwise there is something on its way, and it tells the time as well.
    if (clock.last === this.#seen && !this.#ended && !this.#socket.destroyed) this.#write(clock)
  }

  #write(burst: Burst): void {
    this.#seen = burst.last
    this.#toldAtMs = Date.now()
    if (this.#socket.write(burst.bytesFor(this.#protocol.format, this.#reader))) return
    // One burst may be more than the socket takes at once: only what comes meanwhile is missed.
    this.#fullSinceMs = Date.now()
    this.#socket.once('drain', () => {
      this.#fullSinceMs = undefined
      const missed = this.#missed
      this.#missed = false
      if (missed) this.send(this.#source.latest())
    })
  }

  end(reason: ConnectError): void {
    if (this.#ended) return
    this.#ended = true
    this.#tellEnd(reason)
    const last = this.#protocol.ending(reason)
    if (last.length > 0) this.#socket.write(framed(last, this.#protocol.format))
    // With the chunk of length zero, where there are chunks.
    this.#response.end()
  }
}
