/**
 * At most `max` connections at once. When all are taken, a newcomer gets the place of the one that has been
 * idle the longest (no request in hand; it has lost nothing, clients open another), else that of the
 * request whose body has been on its way the longest. Only a process whose every connection is being
 * answered turns newcomers away: whoever holds places without using them must not keep people out.
 */
import type { Socket } from 'node:net'

/** A body that is younger belongs to somebody who is still sending; most are one packet. */
const SLOW_BODY_MS = 1_000

export type ConnectionSlots = {
  /** False when there is no place: the socket is closed. */
  take: (socket: Socket) => boolean
  /** It has a request in hand … */
  busy: (socket: Socket) => void
  /** … and now it has none. */
  idle: (socket: Socket) => void
  all: () => Socket[]
}

export type ConnectionSlotsOptions = {
  max: number
  /** The connection with the oldest body still on its way, if older than `ageMs`. */
  slowest: (ageMs: number) => Socket | undefined
  /** A connection was closed, or not taken, for want of a place. */
  cut: (reason: 'idle' | 'slow' | 'refused') => void
}

export function createConnectionSlots({
  max,
  slowest,
  cut,
}: ConnectionSlotsOptions): ConnectionSlots {
  const open = new Set<Socket>()
  // Longest idle first: sets keep the order of insertion.
  const idle = new Set<Socket>()
  const forget = (socket: Socket) => {
    open.delete(socket)
    idle.delete(socket)
  }
  const makeRoom = (): boolean => {
    const [longest] = idle
    const socket = longest ?? slowest(SLOW_BODY_MS)
    cut(longest ? 'idle' : socket ? 'slow' : 'refused')
    if (!socket) return false
    forget(socket)
    socket.destroy()
    return true
  }
  return {
    take: (socket) => {
      if (open.size >= max && !makeRoom()) {
        socket.destroy()
        return false
      }
      open.add(socket)
      idle.add(socket)
      socket.once('close', () => forget(socket))
      return true
    },
    busy: (socket) => void idle.delete(socket),
    idle: (socket) => {
      if (open.has(socket)) idle.add(socket)
    },
    all: () => [...open],
  }
}
