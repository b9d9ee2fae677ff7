/**
 * Memory of request bodies that are not complete, and that nobody can answer yet: what has come of them, or
 * what was announced, because handlers set aside the whole length of a body at its first byte. Each
 * connection and the process have a budget. A connection that exceeds its own is cut; when the process
 * exceeds its own, those that hold the most are cut until a quarter of it is free again, so that whoever
 * sends bodies as people do is the last to notice.
 */
import type { Socket } from 'node:net'

/** 40 items as large as they can be, or some thousand usual bodies, all of them half sent. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024
/** A gateway with ten such items on their way; a connection of HTTP/1.1 has one. */
export const BODY_BYTES_PER_CONNECTION_MAX = 4 * 1024 * 1024
/** What a request costs before its first byte: stream, headers, handler. */
export const REQUEST_BYTES = 4 * 1024
/** Handlers keep no more (384 KiB, see message-size.ts); what comes after is thrown away as it comes. */
const HELD_PER_BODY_MAX = 512 * 1024
/**
 * Of a body whose answer is out, thrown away so that clients that still write get to read it; whoever goes on is
 * cut. As in Go's net/http.
 */
export const REST_BYTES_MAX = 256 * 1024
/** Each piece of a body without an announced length is kept as it came, be it a single byte. */
const PIECE_BYTES = 256
/** After relief this share of the budget is held at most: not every further byte is to be a search. */
const RELIEVED_SHARE = 0.75

/** One body on its way. */
export type Body = {
  readonly socket: Socket
  readonly sinceMs: number
  /** Ends the request whose body takes too long. */
  readonly end: () => void
  /** All of it counts from the start, and then only the largest piece, which is kept until the next has come. */
  readonly isAnnounced: boolean
  largestBytes: number
  heldBytes: number
}

export type BodyBudget = {
  /** @param contentLength the header, if there is one: handlers refuse what is too long without keeping any of it */
  begin: (socket: Socket, end: () => void, contentLength?: string) => Body
  /** A piece has come. */
  hold: (body: Body, bytes: number) => void
  /** It is complete, or nobody waits for it any more. Calling it again does nothing. */
  release: (body: Body) => void
  /** The connection with the oldest body still on its way, if older than `ageMs`. */
  slowest: (ageMs: number) => Socket | undefined
  /** Ends the requests whose bodies have been on their way for longer. */
  endOlder: (ageMs: number) => void
}

export type BodyBudgetOptions = {
  cut: (socket: Socket, reason: 'bodies of one connection' | 'bodies of all') => void
  bytesMax?: number
  bytesPerConnectionMax?: number
  /** The clock in ms, for tests. */
  now?: () => number
}

export function createBodyBudget(options: BodyBudgetOptions): BodyBudget {
  const { cut, bytesMax = BODY_BYTES_MAX, now = () => performance.now() } = options
  const perConnectionMax = options.bytesPerConnectionMax ?? BODY_BYTES_PER_CONNECTION_MAX
  // Oldest first.
  const bodies = new Set<Body>()
  const bySocket = new WeakMap<Socket, { bytes: number }>()
  let total = 0

  const release = (body: Body): void => {
    if (!bodies.delete(body)) return
    total -= body.heldBytes
    const connection = bySocket.get(body.socket)
    if (connection) connection.bytes -= body.heldBytes
  }
  const relieve = (): void => {
    const perSocket = new Map<Socket, Body[]>()
    for (const body of bodies) {
      const list = perSocket.get(body.socket)
      if (list) list.push(body)
      else perSocket.set(body.socket, [body])
    }
    const held = (socket: Socket) => bySocket.get(socket)?.bytes ?? 0
    const heaviest = [...perSocket.keys()].toSorted((a, b) => held(b) - held(a))
    for (const socket of heaviest) {
      if (total <= bytesMax * RELIEVED_SHARE) return
      // At once: its own end comes later, and more bodies come before that.
      for (const body of perSocket.get(socket) ?? []) release(body)
      cut(socket, 'bodies of all')
    }
  }
  const hold = (body: Body, bytes: number): void => {
    const more = body.isAnnounced ? bytes - body.largestBytes : bytes + PIECE_BYTES
    body.largestBytes = Math.max(body.largestBytes, bytes)
    if (more > 0 && body.heldBytes < HELD_PER_BODY_MAX) add(body, more)
  }
  const add = (body: Body, bytes: number): void => {
    if (!bodies.has(body)) return
    const connection = bySocket.get(body.socket)
    body.heldBytes += bytes
    total += bytes
    if (connection) connection.bytes += bytes
    if (connection && connection.bytes > perConnectionMax) {
      for (const each of bodies) if (each.socket === body.socket) release(each)
      cut(body.socket, 'bodies of one connection')
    } else if (total > bytesMax) relieve()
  }
  return {
    begin: (socket, end, contentLength) => {
      const announced = Number(contentLength ?? 0)
      const isAnnounced = announced > 0 && announced <= HELD_PER_BODY_MAX
      const body: Body = { socket, sinceMs: now(), end, isAnnounced, largestBytes: 0, heldBytes: 0 }
      if (!bySocket.has(socket)) bySocket.set(socket, { bytes: 0 })
      bodies.add(body)
      add(body, REQUEST_BYTES + (isAnnounced ? announced : 0))
      return body
    },
    hold,
    release,
    slowest: (ageMs) => {
      const [oldest] = bodies
      return oldest && now() - oldest.sinceMs > ageMs ? oldest.socket : undefined
    },
    endOlder: (ageMs) => {
      for (const body of bodies) {
        if (now() - body.sinceMs <= ageMs) return
        release(body)
        body.end()
      }
    },
  }
}
