/**
 * Bytes of request bodies that have come but are not complete, and that nobody can answer yet. Each
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
/** After relief this share of the budget is held at most: not every further byte is to be a search. */
const RELIEVED_SHARE = 0.75

/** One body on its way. */
export type Body = {
  readonly socket: Socket
  readonly sinceMs: number
  /** Ends the request whose body takes too long. */
  readonly end: () => void
  heldBytes: number
}

export type BodyBudget = {
  begin: (socket: Socket, end: () => void) => Body
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
    if (body.heldBytes >= HELD_PER_BODY_MAX || !bodies.has(body)) return
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
    begin: (socket, end) => {
      const body: Body = { socket, sinceMs: now(), end, heldBytes: 0 }
      if (!bySocket.has(socket)) bySocket.set(socket, { bytes: 0 })
      bodies.add(body)
      hold(body, REQUEST_BYTES)
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
