/** Slow and frozen readers on real sockets, with a hub whose item is in memory. */
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, expect, it, vi } from 'vitest'
import { Hub } from './hub.ts'
import { watchesOf } from './routes.ts'
import { commit, itemId, newItem } from './test-world.ts'
import { createWatchStreams } from './watch-streams.ts'

const undo: (() => void)[] = []
afterEach(() => undo.splice(0).forEach((step) => step()))

async function startWorld() {
  let item = newItem()
  item = commit(item, 'open', '')?.item ?? item
  // Snapshots of some size, so that the system's buffers are soon full.
  item.description = 'x'.repeat(10_000)
  const nothing = () => undefined
  const hub = new Hub({
    readItems: async () => [item],
    findItems: async () => [],
    readVersions: async () => [],
    now: Date.now,
    viewersMax: 10,
    onOpened: nothing,
    onClosed: nothing,
    onJoined: nothing,
    onLeft: nothing,
  })
  const events = { fellBehind: vi.fn(), dropped: vi.fn() }
  const streams = createWatchStreams({ ...watchesOf(hub), events, log: quietLog })
  const server = createServer((request, response) => {
    if (!streams(request, response)) response.writeHead(404).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  undo.push(
    () => server.close(),
    () => server.closeAllConnections(),
  )
  const { port } = server.address() as AddressInfo
  const change = (kind: 'bid' | 'update') => {
    const committed = commit(item, kind, 'ann')
    if (!committed) throw new Error(kind)
    item = committed.item
    hub.receive([committed.event])
  }
  return { hub, events, change, item: () => item, port }
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
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => {
    const message = JSON.parse(data) as { sequence: string }
    const kind = ['snapshot', 'bidPlaced', 'clock'].find((name) => name in message) ?? '?'
    return [Number(message.sequence), kind]
  })
}

it('a slow reader gets the latest state in place of a backlog', async () => {
  const { hub, events, change, item, port } = await startWorld()
  const slow = await watch(port)
  const keen = await watch(port)
  slow.socket.pause()
  await eventually(async () => {
    // An update is told as a snapshot: ten kilobytes each.
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
})

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

it('a reader who leaves is forgotten, also before being let in', async () => {
  const { hub, port } = await startWorld()
  const { socket } = await watch(port)
  expect(hub.viewers.size()).toBe(1)
  socket.destroy()
  await eventually(() => expect(hub.viewers.size()).toBe(0))
  for (let round = 0; round < 20; round += 1) {
    const hasty = connect(port, '127.0.0.1')
    hasty.on('error', () => undefined)
    hasty.write(`GET /live/items/${itemId} HTTP/1.1\r\nhost: test\r\n\r\n`, () => hasty.destroy())
    await once(hasty, 'close')
  }
  await eventually(() => expect(hub.viewers.size()).toBe(0))
})
