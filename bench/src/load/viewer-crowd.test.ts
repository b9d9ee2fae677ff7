/** Viewers against a stream that a test writes, byte by byte if need be. */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { bid, clock, head, snapshot } from '../scenarios/sample-stream.ts'
import { createViewerCrowd, type ViewerCrowd } from './viewer-crowd.ts'

const size = 20
const standstillMs = 150

let server: Server
let streams: Socket[]
/** What a newcomer gets. */
let greeting: Buffer
let crowd: ViewerCrowd

beforeEach(async () => {
  streams = []
  greeting = Buffer.concat([head, snapshot(0)])
  server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      streams.push(socket)
      socket.write(greeting)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('not listening')
  const url = `http://127.0.0.1:${address.port}`
  crowd = createViewerCrowd({ url, itemId: 'item', standstillMs })
})

afterEach(async () => {
  await crowd.leave()
  await new Promise((closed) => server.close(closed))
})

function sendAll(bytes: Buffer): void {
  for (const stream of streams) stream.write(bytes)
}

it('reports when all have had every bid, clocks in between', async () => {
  await crowd.enter(size)
  const startedMs = Date.now()
  sendAll(bid(1))
  sendAll(clock(startedMs))
  sendAll(Buffer.concat([bid(2), bid(3)]))
  const { bids, faults } = await crowd.follow(3)
  expect(bids.map(({ sequence, viewers }) => [sequence, viewers])).toEqual([
    [1, size],
    [2, size],
    [3, size],
  ])
  for (const { lastMs } of bids) expect(lastMs).toBeGreaterThanOrEqual(startedMs)
  expect(faults).toEqual([])
})

it('understands what comes to each in other pieces', async () => {
  await crowd.enter(size)
  const bytes = Buffer.concat([bid(1), bid(2)])
  for (const [index, stream] of streams.entries()) stream.write(bytes.subarray(0, index * 3))
  // Whoever was sent a whole bid has it: the pieces have been read apart from what follows.
  const whole = streams.filter((_, index) => index * 3 >= bid(1).length).length
  await eventually(async () => (await crowd.follow(1)).bids[0]?.viewers === whole)
  for (const [index, stream] of streams.entries()) stream.write(bytes.subarray(index * 3))
  const { bids, faults } = await crowd.follow(2)
  expect(bids.map(({ viewers }) => viewers)).toEqual([size, size])
  expect(faults).toEqual([])
})

it('waits for the last viewer, and gives up when nothing moves any more', async () => {
  await crowd.enter(size)
  for (const stream of streams.slice(1)) stream.write(bid(1))
  const { bids } = await crowd.follow(1)
  expect(bids[0]?.viewers).toBe(size - 1)
})

it('lets more in later, who count from then on', async () => {
  await crowd.enter(size)
  sendAll(bid(1))
  await crowd.follow(1)
  greeting = Buffer.concat([head, snapshot(1)])
  await crowd.enter(1)
  sendAll(bid(2))
  const { bids, faults } = await crowd.follow(2)
  expect(bids.map(({ viewers }) => viewers)).toEqual([size, size + 1])
  expect(faults).toEqual([])
})

it('complains of a stream that ends', async () => {
  await crowd.enter(2)
  streams[0]?.end(Buffer.from('0\r\n\r\n'))
  streams[1]?.destroy()
  const { faultCount } = await crowd.follow(1)
  expect(faultCount).toBe(2)
})

it('comes back, and back again, until it is let in, and says where it stands', async () => {
  await crowd.enter(size)
  sendAll(bid(1))
  await crowd.follow(1)
  const asked: string[] = []
  const other = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (request: Buffer) => {
      asked.push(request.toString('latin1'))
      // The first is sent away.
      socket.write(
        asked.length === 1 ? 'HTTP/1.1 503 Busy\r\n\r\n' : Buffer.concat([head, snapshot(4)]),
      )
    })
    streams.push(socket)
  })
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening))
  const address = other.address()
  if (typeof address !== 'object' || address === null) throw new Error('not listening')
  crowd.standBy(`http://127.0.0.1:${address.port}`)
  const startedMs = Date.now()
  for (const stream of streams.splice(0)) stream.resetAndDestroy()
  const { lowest, retries, lastMs } = await crowd.returned()
  expect([lowest, retries]).toEqual([4, 1])
  expect(lastMs).toBeGreaterThanOrEqual(startedMs)
  expect(asked).toHaveLength(size + 1)
  sendAll(bid(5))
  const { bids, faults } = await crowd.follow(5)
  expect(bids.map(({ sequence, viewers }) => [sequence, viewers])).toEqual([
    [1, size],
    [5, size],
  ])
  expect(faults).toEqual([])
  await crowd.leave()
  await new Promise((closed) => other.close(closed))
})

it('rejects when it is not let in', async () => {
  greeting = Buffer.from('HTTP/1.1 503 Service Unavailable\r\n\r\n')
  await expect(crowd.enter(1)).rejects.toThrow(/503/)
})
