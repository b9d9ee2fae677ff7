import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, type AttackContext, scaled } from './attack.ts'
import { countOpen, openSockets } from './raw-socket.ts'

const CONNECTIONS = 1_500
const BYTE_EVERY_MS = 500

async function dribble(context: AttackContext, start: string, byte: string): Promise<string> {
  const sockets = await openSockets(context, scaled(CONNECTIONS, context), (socket) => {
    socket.resume().write(start)
  })
  while (!context.signal.aborted) {
    for (const socket of sockets) if (!socket.destroyed) socket.write(byte)
    await sleep(BYTE_EVERY_MS)
  }
  return `${sockets.length} opened, ${countOpen(sockets)} open at the end`
}

const head = 'POST /bids.v1.BidService/PlaceBid HTTP/1.1\r\nhost: localhost\r\n'

export const slowHeads: Attack = {
  name: 'slow-heads',
  description: '1,500 connections that send a header field byte by byte',
  run: (context) => dribble(context, `${head}x-slow: `, 'x'),
}

export const slowBodies: Attack = {
  name: 'slow-bodies',
  description: '1,500 connections that send a body byte by byte',
  run: (context) =>
    dribble(context, `${head}content-type: application/json\r\ncontent-length: 60000\r\n\r\n`, ' '),
}
