/** Connections that say what no client library would, for attacks. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { AttackContext } from './attack.ts'

/** Connects; what the server sends is thrown away unless the caller reads it. Its errors are no news. */
export function openSocket({ host, port }: Pick<AttackContext, 'host' | 'port'>): Socket {
  return connect({ host, port, noDelay: true }).on('error', () => undefined)
}

/** So many at once while connecting: a backlog holds 511. */
const CONNECTING_MAX = 200

/** Opens connections in turn and gives each to `use`; returns how many were open at the end of it. */
export async function openSockets(
  context: AttackContext,
  count: number,
  use: (socket: Socket, index: number) => void,
): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count && !context.signal.aborted) {
    const batch = Array.from({ length: Math.min(CONNECTING_MAX, count - sockets.length) }, () =>
      openSocket(context),
    )
    await Promise.all(
      batch.map(async (socket, index) => {
        await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined)
        if (!socket.destroyed) use(socket, sockets.length + index)
      }),
    )
    sockets.push(...batch)
  }
  return sockets
}

export function countOpen(sockets: readonly Socket[]): number {
  return sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length
}
