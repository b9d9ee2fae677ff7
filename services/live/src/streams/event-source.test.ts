/** What a browser does with our answers: an `EventSource` that was told of passing trouble comes back. */
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { EventSource } from 'eventsource'
import { afterEach, expect, it } from 'vitest'
import type { HubOptions } from '../feed/hub.ts'
import { startStreams } from './test-streams.ts'
import { RecordingViewer } from './recording-viewer.ts'
import { itemId } from '../feed/test-auction.ts'

const undo: (() => void)[] = []
afterEach(() => undo.splice(0).forEach((step) => step()))

async function startWorld(options: Partial<HubOptions> = {}) {
  const streams = await startStreams(options)
  undo.push(streams.stop)
  return streams
}

function open(port: number, id = itemId) {
  const source = new EventSource(`http://127.0.0.1:${port}/live/items/${id}`)
  const [messages, failures]: [string[], (number | undefined)[]] = [[], []]
  source.addEventListener('message', ({ data }) => messages.push(String(data)))
  source.addEventListener('error', ({ code }) => failures.push(code))
  undo.push(() => source.close())
  return { source, messages, failures }
}

/** The times to come back after, as they are told. */
async function retriesOf(port: number): Promise<number[]> {
  const response = await fetch(`http://127.0.0.1:${port}/live/items/${itemId}`)
  expect(response.status).toBe(200)
  return [...(await response.text()).matchAll(/^retry: (\d+)$/gm)].map(([, ms]) => Number(ms))
}

const comesBack = async (page: ReturnType<typeof open>) =>
  await eventually(() => expect(page.messages[0]).toContain('"snapshot"'))

it('comes back when Postgres, a place or a server that goes on has come back', async () => {
  let isAway = true
  const lost = Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' })
  const unavailable = await startWorld({
    readItems: async () => {
      if (isAway) throw lost
      return [unavailable.item()]
    },
  })
  const full = await startWorld({ viewersMax: 1 })
  const leave = await full.hub.watchItem(new RecordingViewer('').open, itemId)
  const pages = [open(unavailable.port), open(full.port)]
  for (const { failures } of pages) await eventually(() => expect(failures).toHaveLength(1))
  isAway = false
  leave()
  for (const page of pages) {
    await comesBack(page)
    expect(page.failures).toEqual([undefined])
  }
}, 15_000)

it('is told a time to come back after by a server that stops, each its own', async () => {
  const { hub, port } = await startWorld()
  const watching = open(port)
  await comesBack(watching)
  hub.drain(new ConnectError('the server stops: connect again', Code.Unavailable))
  await eventually(() => expect(watching.failures).toEqual([undefined]))
  expect(watching.source.readyState).toBe(EventSource.CONNECTING)
  const retries = (await Promise.all(Array.from({ length: 20 }, () => retriesOf(port)))).flat()
  expect(new Set(retries).size).toBeGreaterThan(10)
  expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000)
  expect(Math.max(...retries)).toBeLessThanOrEqual(5_000)
})

it('gives up at what lasts', async () => {
  const { port } = await startWorld({ readItems: async () => [] })
  for (const [id, status] of [
    [randomUUID(), 404],
    ['seven', 400],
  ] as const) {
    const page = open(port, id)
    await eventually(() => expect(page.failures).toEqual([status]))
    expect(page.source.readyState).toBe(EventSource.CLOSED)
  }
})

it('a request that waits behind another on its connection harms nobody', async () => {
  const { hub, port } = await startWorld()
  const socket = connect(port, '127.0.0.1')
  undo.push(() => socket.destroy())
  const request = `GET /live/items/${itemId} HTTP/1.1\r\nhost: test\r\n\r\n`
  socket.on('error', () => undefined).write(request + request)
  await eventually(() => expect(hub.viewers.size()).toBe(1))
  const page = open(port)
  await comesBack(page)
})
