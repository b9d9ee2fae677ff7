/** Slow and frozen readers on real sockets, with a hub whose item is in memory. */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { create } from '@bufbuild/protobuf'
import { WatchItemResponseSchema } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { afterEach, expect, it, vi } from 'vitest'
import { type Burst, burstOf } from './frame.ts'
import { SocketViewer } from './socket-viewer.ts'
import { serverSentEvents } from './stream-protocol.ts'
import { startStreams } from './test-streams.ts'
import { itemId } from '../feed/test-auction.ts'
import type { Source } from './viewer.ts'

const undo: (() => void)[] = []
afterEach(() => undo.splice(0).forEach((step) => step()))

async function startWorld() {
  // Snapshots of some size, so that the system's buffers are soon full.
  const streams = await startStreams({}, 'x'.repeat(40_000))
  undo.push(streams.stop)
  return streams
}

let lastNumber = 0

/** Bytes that begin with a word. */
function burst(word: string, bytes: number): Burst {
  const bytesFor = () => Buffer.from(word.padEnd(bytes))
  const frame = { bytesFor, messageFor: () => create(WatchItemResponseSchema), concerns: [] }
  lastNumber += 1
  return burstOf([frame], lastNumber)
}

const wordOf = (bytes: Buffer): string => bytes.toString().trimEnd()

function sourceOf(bytes: number): Source {
  return { latest: () => burst('latest', bytes), clock: () => burst('clock', 1) }
}

async function watch(port: number): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(port, '127.0.0.1')
  undo.push(() => socket.destroy())
  let text = ''
  socket.on('data', (part: Buffer) => (text += part.toString()))
  socket.on('error', () => undefined)
  socket.write(`GET /live/items/${itemId} HTTP/1.1\r\nhost: test\r\n\r\n`)
  await eventually(() => expect(text).toContain('"snapshot"'))
  return { socket, text: () => text }
}

/** Sequences in order of arrival, and what each message is. */
function messages(text: string): [number, string][] {
  const heads = /^data: \{"sequence":"(\d+)".{0,200}?"(snapshot|bidPlaced|clock)":/gm
  return [...text.matchAll(heads)].map(([, sequence, kind]) => [Number(sequence), kind ?? ''])
}

it('a slow reader gets the latest state in place of a backlog', async () => {
  const { hub, events, change, item, port } = await startWorld()
  const slow = await watch(port)
  const keen = await watch(port)
  slow.socket.pause()
  await eventually(async () => {
    // An update is told as a snapshot: 40 kB each.
    for (let round = 0; round < 50; round += 1) {
      change('bid')
      change('update')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(events.fellBehind).toHaveBeenCalledTimes(1)
  })
  const behindAt = Number(item().sequence)
  for (let round = 0; round < 1_000; round += 1) change('bid')
  const last = Number(item().sequence)
  await eventually(() => expect(messages(keen.text()).at(-1)).toEqual([last, 'bidPlaced']))
  slow.socket.resume()
  await eventually(() => expect(messages(slow.text()).at(-1)).toEqual([last, 'snapshot']))
  const sequences = messages(slow.text()).map(([sequence]) => sequence)
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
  expect(sequences.filter((sequence) => sequence > behindAt && sequence < last)).toEqual([])
  change('bid')
  await eventually(() => expect(messages(slow.text()).at(-1)).toEqual([last + 1, 'bidPlaced']))
  expect(hub.viewers.size()).toBe(2)
}, 30_000)

it('a frozen reader is dropped after a while, a quiet one is not', async () => {
  const { hub, events, change, port } = await startWorld()
  const frozen = await watch(port)
  const quiet = await watch(port)
  frozen.socket.pause()
  await eventually(async () => {
    for (let round = 0; round < 50; round += 1) {
      change('update')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(events.fellBehind).toHaveBeenCalled()
  })
  const turnAll = (nowMs: number) => {
    for (let slot = 0; slot < 80; slot += 1) hub.turn(nowMs)
  }
  turnAll(Date.now() + 29_000)
  expect(events.dropped).not.toHaveBeenCalled()
  turnAll(Date.now() + 31_000)
  expect(events.dropped).toHaveBeenCalledTimes(1)
  await eventually(() => expect(hub.viewers.size()).toBe(1))
  await eventually(() => expect(messages(quiet.text()).at(-1)?.[1]).toBe('clock'))
})

it('a message larger than the connection takes at once is not repeated to a reader who takes it', async () => {
  const written: string[] = []
  const socket = new Writable({
    highWaterMark: 1_000,
    write: (bytes: Buffer, _, done) =>
      void setImmediate(() => (written.push(wordOf(bytes)), done())),
  })
  const [events, source] = [{ fellBehind: vi.fn(), dropped: vi.fn() }, sourceOf(5_000)]
  const protocol = serverSentEvents(false)
  const response = { end: () => undefined }
  const who = { userId: '', reader: '' }
  const from = { response, socket, protocol, ...who, source, events, ended: () => undefined }
  const viewer = new SocketViewer(from)
  viewer.send(source.latest())
  await once(socket, 'drain')
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect([written, events.fellBehind.mock.calls.length]).toEqual([['latest'], 0])
  viewer.send(source.latest())
  viewer.send(burst('missed', 1))
  viewer.send(burst('missed too', 1))
  await once(socket, 'drain')
  await once(socket, 'drain')
  expect(written).toEqual(['latest', 'latest', 'latest'])
  expect(events.fellBehind).toHaveBeenCalledTimes(1)
})

it('who was sent something is told the time only when it is a while ago', async () => {
  const written: string[] = []
  const socket = new Writable({
    write: (bytes: Buffer, _, done) => (written.push(wordOf(bytes)), done()),
  })
  const [events, clock] = [{ fellBehind: vi.fn(), dropped: vi.fn() }, burst('clock', 1)]
  const source = { latest: () => clock, clock: () => clock }
  const protocol = serverSentEvents(false)
  const response = { end: () => undefined }
  const who = { userId: '', reader: '' }
  const from = { response, socket, protocol, ...who, source, events, ended: () => undefined }
  const viewer = new SocketViewer(from)
  viewer.send(clock)
  viewer.tick(Date.now() + 1_000)
  expect(written).toEqual(['clock'])
  viewer.tick(Date.now() + 1_501)
  expect(written).toEqual(['clock', 'clock'])
})

it('a reader who leaves is forgotten, also before being let in, and is not said to be slow', async () => {
  const { hub, change, events, port } = await startWorld()
  const { socket } = await watch(port)
  expect(hub.viewers.size()).toBe(1)
  socket.destroy()
  await eventually(() => expect(hub.viewers.size()).toBe(0))
  for (let round = 0; round < 20; round += 1) {
    const hasty = connect(port, '127.0.0.1')
    hasty.on('error', () => undefined)
    hasty.write(`GET /live/items/${itemId} HTTP/1.1\r\nhost: test\r\n\r\n`, () =>
      hasty.resetAndDestroy(),
    )
    await once(hasty, 'close')
    change('bid')
  }
  await eventually(() => expect(hub.viewers.size()).toBe(0))
  expect([events.fellBehind.mock.calls, events.dropped.mock.calls]).toEqual([[], []])
})
