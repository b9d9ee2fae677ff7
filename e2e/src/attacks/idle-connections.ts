import { type Attack, scaled, untilOver } from './attack.ts'
import { countOpen, openSockets } from './raw-socket.ts'

/** More than the server has descriptors. */
const CONNECTIONS = 3_000

export const idleConnections: Attack = {
  name: 'idle-connections',
  description: '3,000 connections that say nothing, on a server with 2,000 descriptors',
  run: async (context) => {
    const sockets = await openSockets(context, scaled(CONNECTIONS, context), (socket) => {
      socket.resume()
    })
    const opened = sockets.length
    await untilOver(context)
    return `${opened} opened, ${countOpen(sockets)} open at the end`
  },
}
