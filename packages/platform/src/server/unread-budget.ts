/**
 * Answers that clients do not take off the wire. What the system has not taken over is ours to hold: all of
 * it together has a budget, and when it is exceeded those who owe the most are cut. Whoever takes nothing at
 * all for a while is cut in any case.
 */
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'

/** Of all connections together: sixteen answers of the largest size, or thousands of usual ones. */
export const UNREAD_BYTES_MAX = 16 * 1024 * 1024
/** Below this a connection is not looked at: the usual answer leaves in one write. */
export const UNREAD_NOTICED_BYTES = 16 * 1024
/** As long as viewers who take nothing are kept. */
export const UNREAD_LIMIT_MS = 30_000
const RELIEVED_SHARE = 0.75

export type UnreadBudget = {
  /** `out` (a socket, or a stream of HTTP/2) holds more than is usual. */
  watch: (out: Writable, socket: Socket) => void
}

export type UnreadBudgetOptions = {
  cut: (socket: Socket, reason: 'unread answers') => void
  bytesMax?: number
}

export function createUnreadBudget({
  cut,
  bytesMax = UNREAD_BYTES_MAX,
}: UnreadBudgetOptions): UnreadBudget {
  const watched = new Map<Writable, Socket>()
  const relieve = (): void => {
    const bySocket = new Map<Socket, number>()
    let total = 0
    for (const [out, socket] of watched) {
      total += out.writableLength
      bySocket.set(socket, (bySocket.get(socket) ?? 0) + out.writableLength)
    }
    if (total <= bytesMax) return
    for (const [socket, bytes] of [...bySocket].toSorted(([, a], [, b]) => b - a)) {
      if (total <= bytesMax * RELIEVED_SHARE) return
      total -= bytes
      // At once: its own end comes later, and more answers come before that.
      for (const [out, owner] of watched) if (owner === socket) watched.delete(out)
      cut(socket, 'unread answers')
    }
  }
  return {
    watch: (out, socket) => {
      if (!watched.has(out)) {
        watched.set(out, socket)
        const endLimit = limitStandstill(out)
        const forget = () => {
          watched.delete(out)
          endLimit()
          out.off('drain', forget).off('close', forget).off('finish', forget)
        }
        out.on('drain', forget).on('close', forget).on('finish', forget)
      }
      relieve()
    },
  }
}

/**
 * Cuts who takes nothing for a while; returns what ends that. By a timer of our own: Node 26 forgets to end
 * that of an HTTP/2 stream which is destroyed, and keeps stream and answer until it fires.
 */
function limitStandstill(out: Writable): () => void {
  let unread = out.writableLength
  const limit = setInterval(() => {
    if (out.writableLength >= unread) out.destroy()
    unread = out.writableLength
  }, UNREAD_LIMIT_MS)
  return () => clearInterval(limit)
}
