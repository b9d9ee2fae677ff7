/**
 * What one HTTP/2 connection may do. The protocol lets a client make much work with few bytes: requests
 * that it resets at once, frames that ask for nothing, header blocks that refer to one entry a thousand
 * times, answers it has no window for. A session that does little else is closed with ENHANCE_YOUR_CALM;
 * those of people, gateways and deadlines stay far below.
 */
import { constants } from 'node:http2'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { type Allowance, createAllowance } from './allowance.ts'

/** Calls in flight on one connection; what RFC 9113 asks for at least. Clients queue, or open another. */
export const MAX_CONCURRENT_STREAMS = 100

/**
 * Requests that were reset as soon as they had come: twice all that can be in flight, for deadlines that
 * passed while the process did not get to read. Those that were in hand for a while have cost the client
 * a stream for as long, and are not counted: gateways cancel what their callers give up.
 */
const RESETS = { burst: 2 * MAX_CONCURRENT_STREAMS, perSecond: 50 }

/** A stream that lasts longer is worth it: 100 of them allow 1,000 requests a second. */
const YOUNG_MS = 100

/**
 * Bytes that are part of no request and no body: settings, pings, priorities, window updates, frames of
 * nothing, refused header blocks. A ping a second is 17; window updates are covered by what is read.
 */
const OVERHEAD_BYTES = { burst: 256 * 1024, perSecond: 32 * 1024 }
/** A reader updates its windows for each quarter of one at the least: 26 bytes for 16 KiB. A tenth is plenty. */
const OVERHEAD_PER_BYTE_WRITTEN = 0.1
/** The head of a request: usually 200 bytes, with a token a few thousand. */
const HEAD_BYTES = 4 * 1024

/** Of a frame of data, before its bytes. */
const FRAME_HEAD_BYTES = 9

/** What a client may send of a body before it is read: nghttp2's default. */
const STREAM_WINDOW_BYTES = 65_535

/** Answers that wait for a client's window, of all sessions together. At about 10 kB each. */
const UNTAKEN_MAX = 500
/** As long as a slow reader of HTTP/1.1. */
const UNTAKEN_LIMIT_MS = 30_000

/** How often sessions are looked at. */
export const LOOK_MS = 250

export type Manners = {
  readonly socket: Socket
  readonly session: ServerHttp2Session
  /** Open ones, with the moment at which the answer was first seen to be complete. */
  readonly streams: Map<ServerHttp2Stream, number | undefined>
  readonly resets: Allowance
  readonly overhead: Allowance
  /** Worked through, so far. */
  bytesRead: number
  /** Of requests and bodies, so far. */
  explainedBytes: number
  /** Read, explained by nothing, and held against it, so far. */
  overheadBytes: number
}

export function createManners(session: ServerHttp2Session, socket: Socket): Manners {
  return {
    socket,
    session,
    streams: new Map(),
    resets: createAllowance(RESETS),
    overhead: createAllowance(OVERHEAD_BYTES),
    bytesRead: 0,
    explainedBytes: 0,
    overheadBytes: 0,
  }
}

/** A request has come: its head explains some of the bytes. */
export function countRequest(manners: Manners): void {
  manners.explainedBytes += HEAD_BYTES
}

/** Bytes of a body have come: usually one frame. */
export function countData(manners: Manners, bytes: number): void {
  manners.explainedBytes += bytes + FRAME_HEAD_BYTES
}

/** A request was reset; true while the client does that no more than people do. */
export function mayReset({ resets }: Manners, ageMs: number): boolean {
  return ageMs > YOUNG_MS || resets.spend(1)
}

/** Looks at what has come; true while most of it was for something. */
export function isCalm(manners: Manners): boolean {
  const { bytesRead } = manners
  const { bytesWritten } = manners.socket
  // Bodies are explained when their handlers read them; until then they are within their windows.
  const waiting = manners.streams.size * STREAM_WINDOW_BYTES
  const explained = manners.explainedBytes + waiting + bytesWritten * OVERHEAD_PER_BYTE_WRITTEN
  const more = Math.max(0, bytesRead - explained - manners.overheadBytes)
  manners.overheadBytes += more
  return manners.overhead.spend(more)
}

/** Tells the client why and closes its connection, whatever it says to that. */
export function sendAway({ session }: Manners): void {
  // By itself, because destroy() names a code only together with an error that nobody made.
  session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  setImmediate(() => session.destroy())
}

/**
 * Closes streams whose answer has been ready for too long, and returns the sessions that have to go because
 * too many answers wait: those with the most, until few enough are left.
 */
export function overdueSessions(all: Iterable<Manners>, nowMs: number): Manners[] {
  const untaken: { manners: Manners; count: number }[] = []
  let total = 0
  for (const manners of all) {
    let count = 0
    for (const [stream, sinceMs] of manners.streams) {
      if (!stream.writableEnded) continue
      count += 1
      if (sinceMs === undefined) manners.streams.set(stream, nowMs)
      else if (nowMs - sinceMs > UNTAKEN_LIMIT_MS) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    }
    total += count
    if (count > 0) untaken.push({ manners, count })
  }
  const overdue: Manners[] = []
  for (const { manners, count } of untaken.toSorted((a, b) => b.count - a.count)) {
    if (total <= UNTAKEN_MAX) break
    total -= count
    overdue.push(manners)
  }
  return overdue
}
