/**
 * The live service on a real server beside the write side, read by every official client: the same messages
 * whether this process or the library writes the stream.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  startAuctioneerComponent,
  startBid,
  migrationsDirectory,
} from '@bidmesh/bid/bid-component.ts'
import type { BidmeshClient } from '@bidmesh/client'
import { createBidmeshClient } from '@bidmesh/client/node'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { LiveService, type WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { startRelayComponent } from '@bidmesh/outbox-worker/relay-component.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { type Broker } from '@bidmesh/platform/broker/broker.ts'
import { statsQueue } from '@bidmesh/events/queues.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node'
import {
  createConnectTransport as createBrowserTransport,
  createGrpcWebTransport as createBrowserGrpcWebTransport,
} from '@connectrpc/connect-web'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import { startLive } from '@bidmesh/live/live-component.ts'

let database: TestDatabase
let broker: Broker
let server: Server
let bids: BidmeshClient['bids']
let live: BidmeshClient['live']

type Messages = AsyncIterable<WatchItemResponse>

const json = { useBinaryFormat: false } as const
const transports: Record<string, (baseUrl: string) => Transport> = {
  'Connect JSON': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', ...json }),
  'Connect binary': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  'gRPC-Web': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  'gRPC-Web JSON': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1', ...json }),
  'a browser’s Connect JSON': (baseUrl) => createBrowserTransport({ baseUrl }),
  'a browser’s gRPC-Web': (baseUrl) => createBrowserGrpcWebTransport({ baseUrl }),
  'gRPC over h2c': (baseUrl) => createGrpcTransport({ baseUrl }),
  'Connect over h2c': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2' }),
  'Connect with a deadline': (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: '1.1', defaultTimeoutMs: 60_000 }),
}

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const log = quietLog
  broker = createMemoryBroker({ log })
  const { signal } = new AbortController()
  const common = { databaseUrl: database.url, redisUrl: inject('redisUrl'), broker, log, signal }
  // In place of the statistics, whose queue the relay insists on.
  await broker.subscribe({ ...statsQueue, prefetch: 100 }, async () => undefined)
  const writeSide = await startBid({ ...common, lanes: 1 })
  const parts = [
    writeSide,
    await startAuctioneerComponent(common),
    await startLive({ ...common, bidService: callInProcess(writeSide, log), viewersMax: 50 }),
    await startRelayComponent(common),
  ]
  server = await startTestServer(parts)
  const baseUrl = server.url
  const client = createBidmeshClient({ baseUrl })
  bids = client.bids
  live = client.live
})

afterAll(async () => {
  await server.stop()
  await broker.close()
  await database.drop()
})

async function putItem(changes: Parameters<typeof bids.createItem>[0] = {}): Promise<Item> {
  const { item } = await bids.createItem({
    title: 'Lamp',
    startPrice: 100n,
    endAt: timestampFromMs(Date.now() + 3_600_000),
    sellerId: 'seller',
    currency: 'EUR',
    ...changes,
  })
  if (!item) throw new Error('no item came back')
  return item
}

async function bid(itemId: string, userId: string, amount: bigint) {
  await bids.placeBid({ itemId, userId, amount })
}

/** Reads a stream to its end in the background; messages about time and company are left out. */
function record(messages: Messages) {
  const seen: WatchItemResponse[] = []
  const done = (async () => {
    for await (const message of messages) {
      if (message.event.case !== 'clock' && message.event.case !== 'viewerCount') seen.push(message)
    }
  })()
  done.catch(() => undefined)
  const until = (count: number) =>
    eventually(() => expect(seen.length).toBeGreaterThanOrEqual(count))
  return { seen, done, until, cases: () => seen.map(({ event }) => event.case) }
}

async function errorOf(messages: Messages): Promise<ConnectError> {
  try {
    for await (const message of messages) throw new Error(`came through: ${message.event.case}`)
  } catch (error) {
    if (error instanceof ConnectError) return error
    throw error
  }
  throw new Error('the stream ended without an error')
}

describe.each(Object.keys(transports))('WatchItem by %s', (name) => {
  const client = () => {
    const transport = transports[name]?.(server.url)
    if (!transport) throw new Error(name)
    return createClient(LiveService, transport)
  }

  it('tells the state, then every change in order, and who is winning', async () => {
    const softClose = { window: { seconds: 3_600n }, maxExtensions: 1 }
    const item = await putItem({ softClose })
    const stop = new AbortController()
    const { signal } = stop
    const ann = record(client().watchItem({ itemId: item.id, userId: 'ann' }, { signal }))
    const anybody = record(client().watchItem({ itemId: item.id.toUpperCase() }, { signal }))
    await Promise.all([ann.until(1), anybody.until(1)])
    await bid(item.id, 'ann', 100n)
    await ann.until(3)
    await bid(item.id, 'bob', 200n)
    await ann.until(4)
    await live.sendChatMessage({ itemId: item.id, userId: 'bob', text: 'mine ✓' })
    await Promise.all([ann.until(5), anybody.until(5)])
    stop.abort()
    const cases = ['snapshot', 'bidPlaced', 'endMoved', 'bidPlaced', 'chatMessage']
    expect(ann.cases()).toEqual(cases)
    expect(anybody.cases()).toEqual(cases)
    expect(ann.seen.map(({ sequence }) => sequence)).toEqual([0n, 1n, 1n, 2n, 2n])
    expect(ann.seen.map((each) => each.youAreWinning)).toEqual([false, true, true, false, false])
    expect(ann.seen.map((each) => each.youWereOutbid)).toEqual([false, false, false, true, false])
    expect(anybody.seen.some((each) => each.youAreWinning || each.youWereOutbid)).toBe(false)
    const [first] = anybody.seen
    expect(first?.event.case === 'snapshot' && first.event.value.item?.id).toBe(item.id)
    const { item: now } = await bids.getItem({ id: item.id })
    const last = ann.seen[3]
    expect(last?.version).toBe(now?.version)
    expect(last?.event.case === 'bidPlaced' && last.event.value).toMatchObject({
      bid: { userId: 'bob', amount: 200n, sequence: 2n },
      minimumNextBid: now?.minimumNextBid,
      endAt: now?.endAt,
      previousHighestBidderId: 'ann',
    })
  })

  it('takes up where a client left off, and starts anew where it cannot', async () => {
    const item = await putItem()
    const stop = new AbortController()
    const { signal } = stop
    const first = record(client().watchItem({ itemId: item.id }, { signal }))
    await first.until(1)
    for (const amount of [100n, 200n, 300n]) await bid(item.id, 'ann', amount)
    await first.until(4)
    stop.abort()
    await bid(item.id, 'bob', 400n)
    const again = new AbortController()
    const resumed = record(
      client().watchItem({ itemId: item.id, afterSequence: 2n }, { signal: again.signal }),
    )
    await resumed.until(2)
    expect(resumed.cases()).toEqual(['bidPlaced', 'bidPlaced'])
    expect(resumed.seen.map(({ sequence }) => sequence)).toEqual([3n, 4n])
    const anew = record(
      client().watchItem({ itemId: item.id, afterSequence: 0n }, { signal: again.signal }),
    )
    await anew.until(1)
    expect(anew.cases()).toEqual(['snapshot'])
    expect(anew.seen[0]?.sequence).toBe(4n)
    // As a client that was told more before the database was restored.
    const ahead = record(
      client().watchItem({ itemId: item.id, afterSequence: 7n }, { signal: again.signal }),
    )
    await ahead.until(1)
    await bid(item.id, 'ann', 500n)
    await ahead.until(2)
    expect(ahead.cases()).toEqual(['snapshot', 'bidPlaced'])
    expect(ahead.seen.map(({ sequence }) => sequence)).toEqual([4n, 5n])
    again.abort()
  })

  it('refuses with typed errors', async () => {
    const id = randomUUID()
    expect(await errorOf(client().watchItem({ itemId: id }))).toMatchObject({ code: Code.NotFound })
    expect(await errorOf(client().watchItem({ itemId: 'x' }))).toMatchObject({
      code: Code.InvalidArgument,
    })
    const negative = await errorOf(client().watchItem({ itemId: id, afterSequence: -1n }))
    expect(negative).toMatchObject({ code: Code.InvalidArgument })
  })

  it('updates lists', async () => {
    const category = `lamps ${name}`
    const item = await putItem({ category })
    const stop = new AbortController()
    const updates: bigint[] = []
    const done = (async () => {
      const messages = client().watchItems({ filter: { category } }, { signal: stop.signal })
      for await (const { updates: changed } of messages) {
        updates.push(...changed.map((each) => each.currentHighestBid))
      }
    })().catch(() => undefined)
    await eventually(() => expect(updates).toEqual([0n]))
    await bid(item.id, 'ann', 100n)
    await eventually(() => expect(updates.at(-1)).toBe(100n))
    await putItem({ category })
    await eventually(() => expect(updates).toEqual([0n, 100n, 0n]))
    stop.abort()
    await done
  })
})

describe('an item’s life', () => {
  it('is told from opening to the hammer', async () => {
    const startAt = timestampFromMs(Date.now() + 400)
    const endAt = timestampFromMs(Date.now() + 1_500)
    const softClose = { maxExtensions: 0 }
    const item = await putItem({ startAt, endAt, softClose })
    const stop = new AbortController()
    const watching = record(live.watchItem({ itemId: item.id }, { signal: stop.signal }))
    await watching.until(2)
    await bid(item.id, 'ann', 100n)
    await bids.updateItem({ id: item.id, title: 'Tall lamp', userId: 'seller' })
    await watching.until(5)
    expect(watching.cases()).toEqual(['snapshot', 'opened', 'bidPlaced', 'snapshot', 'ended'])
    const [first, , , updated, ended] = watching.seen.map(({ event }) => event)
    expect(first?.case === 'snapshot' && first.value.item?.status).toBe(ItemStatus.SCHEDULED)
    expect(updated?.case === 'snapshot' && updated.value.item?.title).toBe('Tall lamp')
    expect(ended?.case === 'ended' && ended.value).toMatchObject({
      outcome: ItemOutcome.SOLD,
      winnerId: 'ann',
      hammerPrice: 100n,
    })
    stop.abort()
  })

  it('tells of a cancelled item why', async () => {
    const item = await putItem()
    const stop = new AbortController()
    const watching = record(live.watchItem({ itemId: item.id }, { signal: stop.signal }))
    await watching.until(1)
    await bids.cancelItem({ id: item.id, reason: 'broken', userId: 'seller' })
    await watching.until(2)
    const { event } = watching.seen[1] ?? {}
    expect(event?.case === 'cancelled' && event.value.reason).toBe('broken')
    stop.abort()
  })
})

describe('server-sent events', () => {
  type Sent = { id: string; data: { sequence: string; bidPlaced?: { bid: { amount: string } } } }

  async function* read(url: string, headers: Record<string, string> = {}): AsyncGenerator<Sent> {
    const stop = new AbortController()
    const response = await fetch(url, { headers, signal: stop.signal })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const decoder = new TextDecoder()
    let text = ''
    try {
      for await (const part of response.body ?? []) {
        text += decoder.decode(part, { stream: true })
        const blocks = text.split('\n\n')
        text = blocks.pop() ?? ''
        for (const block of blocks) {
          const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(block) ?? []
          if (id === undefined || data === undefined) expect(block).toMatch(/^retry: \d+$/)
          else yield { id, data: JSON.parse(data) as Sent['data'] }
        }
      }
    } finally {
      stop.abort()
    }
  }

  it('are the same stream, with the sequence as id and resume by it', async () => {
    const item = await putItem()
    const url = `${server.url}/live/items/${item.id}`
    const ids: string[] = []
    for await (const { id, data } of read(url)) {
      expect(data.sequence).toBe(id)
      // Others tell the time, or who is there.
      if (ids.at(-1) === id) continue
      ids.push(id)
      if (id === '3') break
      await bid(item.id, 'ann', 100n * (BigInt(id) + 1n))
    }
    expect(ids).toEqual(['0', '1', '2', '3'])
    for await (const { id, data } of read(url, { 'last-event-id': '2' })) {
      expect([id, data.bidPlaced?.bid.amount]).toEqual(['3', '300'])
      break
    }
  })

  it.each(['--http1.0', '--http1.1', '--http2-prior-knowledge'])(
    'come by curl %s',
    async (version) => {
      const item = await putItem()
      const url = `${server.url}/live/items/${item.id}?user_id=ann`
      const curl = spawn('curl', ['-sN', version, url])
      let text = ''
      curl.stdout.on('data', (part: Buffer) => (text += part.toString()))
      await eventually(() => expect(text).toContain('"snapshot"'))
      await bid(item.id, 'ann', 100n)
      await eventually(() => {
        expect(text).toMatch(
          /\n\nid: 1\ndata: \{[^\n]*"youAreWinning":true[^\n]*"bidPlaced"[^\n]*\}\n\n/,
        )
      })
      curl.kill()
    },
  )

  it('begin anew for who sends back an id that is not ours, or not reached', async () => {
    const item = await putItem()
    const url = `${server.url}/live/items/${item.id}`
    for (const lastEventId of ['seven', '9', '-1', '1e3', '9'.repeat(40)]) {
      for await (const { data } of read(url, { 'last-event-id': lastEventId })) {
        expect(data).toHaveProperty('snapshot')
        break
      }
    }
  })

  it('are refused for good with a status and JSON', async () => {
    const status = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${server.url}/live/items/${path}`, { headers })
      return [response.status, ((await response.json()) as { code: string }).code]
    }
    expect(await status(randomUUID())).toEqual([404, 'not_found'])
    expect(await status('x')).toEqual([400, 'invalid_argument'])
    const item = await putItem()
    expect(await status(`${item.id}?after_sequence=seven`)).toEqual([400, 'invalid_argument'])
  })
})

describe('company', () => {
  it('lists chat newest first, page by page', async () => {
    const item = await putItem()
    for (const text of ['one', 'two\nlines', '三']) {
      await live.sendChatMessage({ itemId: item.id, userId: 'ann', text })
    }
    const page = await live.listChatMessages({ itemId: item.id, pageSize: 2 })
    expect(page.messages.map(({ text }) => text)).toEqual(['三', 'two\nlines'])
    const pageToken = page.nextPageToken
    const rest = await live.listChatMessages({ itemId: item.id, pageSize: 2, pageToken })
    expect(rest.messages.map(({ text }) => text)).toEqual(['one'])
    expect(rest.nextPageToken).toBe('')
  })

  it.each([
    ['no text', { text: '' }],
    ['nothing but blanks', { text: ' \n ' }],
    ['501 characters', { text: '✓'.repeat(501) }],
    ['nobody', { userId: '' }],
  ])('refuses %s', async (_, changes) => {
    const item = await putItem()
    const message = { itemId: item.id, userId: 'ann', text: 'hello', ...changes }
    const call = live.sendChatMessage(message)
    await expect(call).rejects.toMatchObject({ code: Code.InvalidArgument })
    expect((await live.listChatMessages({ itemId: item.id })).messages).toEqual([])
  })

  it('takes 500 characters of any script, and no chat for what is not there', async () => {
    const item = await putItem()
    const text = '✓'.repeat(500)
    await live.sendChatMessage({ itemId: item.id, userId: 'ann', text })
    const { messages } = await live.listChatMessages({ itemId: item.id })
    expect(messages[0]?.text).toBe(text)
    const itemId = randomUUID()
    const call = live.sendChatMessage({ itemId, userId: 'ann', text: 'hello' })
    await expect(call).rejects.toMatchObject({ code: Code.NotFound })
    await expect(live.listChatMessages({ itemId })).rejects.toMatchObject({ code: Code.NotFound })
  })

  it('takes no more lines than can be read, says when again, and shows all it has taken', async () => {
    const item = await putItem()
    const stop = new AbortController()
    const watching = record(live.watchItem({ itemId: item.id }, { signal: stop.signal }))
    await watching.until(1)
    const send = (text: string) => live.sendChatMessage({ itemId: item.id, userId: 'ann', text })
    const sent = Array.from({ length: 40 }, (_, index) => send(String(index)))
    const answers = await Promise.allSettled(sent)
    const refused = answers.flatMap((each) =>
      each.status === 'rejected' ? [ConnectError.from(each.reason)] : [],
    )
    const taken = answers.flatMap((each) =>
      each.status === 'fulfilled' ? [each.value.message?.text] : [],
    )
    expect(refused.length).toBeGreaterThan(25)
    for (const error of refused) {
      expect(error.code).toBe(Code.ResourceExhausted)
      expect(Number(error.metadata.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    await watching.until(1 + taken.length)
    const shown = watching.seen.flatMap(({ event }) =>
      event.case === 'chatMessage' ? [event.value.text] : [],
    )
    expect(new Set(shown)).toEqual(new Set(taken))
    expect(shown).toHaveLength(taken.length)
    stop.abort()
  })

  it('counts distinct viewers', async () => {
    const item = await putItem()
    const stop = new AbortController()
    const counts: bigint[] = []
    const watch = async (userId: string, signal: AbortSignal) => {
      for await (const { event } of live.watchItem({ itemId: item.id, userId }, { signal })) {
        if (event.case === 'viewerCount' && userId === 'ann') counts.push(event.value.viewers)
      }
    }
    const leaving = new AbortController()
    for (const userId of ['ann', 'bob', '']) watch(userId, stop.signal).catch(() => undefined)
    watch('ann', stop.signal).catch(() => undefined)
    watch('', leaving.signal).catch(() => undefined)
    await eventually(() => expect(counts.at(-1)).toBe(4n))
    leaving.abort()
    await eventually(() => expect(counts.at(-1)).toBe(3n))
    stop.abort()
  })
})

describe('queries', () => {
  it('lists the best bid of each of three bidders', async () => {
    const item = await putItem()
    const { bids: none } = await live.listTopBids({ itemId: item.id })
    expect(none).toEqual([])
    const bidders = ['ann', 'bob', 'cid', 'dan', 'cid', 'dan', 'dan']
    for (const [index, userId] of bidders.entries()) {
      await bid(item.id, userId, 1_000n * BigInt(index + 1))
    }
    const { bids: top } = await live.listTopBids({ itemId: item.id })
    expect(top.map(({ userId, amount }) => [userId, amount])).toEqual([
      ['dan', 7_000n],
      ['cid', 5_000n],
      ['bob', 2_000n],
    ])
    const call = live.listTopBids({ itemId: randomUUID() })
    await expect(call).rejects.toMatchObject({ code: Code.NotFound })
  })

  it('gives the price over time, thinned out evenly', async () => {
    const item = await putItem()
    for (let index = 1; index <= 9; index += 1) await bid(item.id, 'ann', 100n * BigInt(index))
    const whole = await live.getPriceHistory({ itemId: item.id })
    expect(whole.points.map(({ amount }) => amount)).toEqual(
      Array.from({ length: 9 }, (_, index) => 100n * BigInt(index + 1)),
    )
    expect([whole.startPrice, whole.currency]).toEqual([100n, 'EUR'])
    const thin = await live.getPriceHistory({ itemId: item.id, maxPoints: 3 })
    expect(thin.points.map(({ sequence }) => sequence)).toEqual([1n, 5n, 9n])
    const call = live.getPriceHistory({ itemId: randomUUID() })
    await expect(call).rejects.toMatchObject({ code: Code.NotFound })
  })
})

it('refuses viewers above its limit, and says so', async () => {
  const item = await putItem()
  const stop = new AbortController()
  const { signal } = stop
  const streams = Array.from({ length: 50 }, () =>
    record(live.watchItem({ itemId: item.id }, { signal })),
  )
  await Promise.all(streams.map((stream) => stream.until(1)))
  const refused = await errorOf(live.watchItem({ itemId: item.id }))
  expect(refused).toMatchObject({ code: Code.ResourceExhausted })
  stop.abort()
  await eventually(async () => {
    const one = new AbortController()
    const stream = record(live.watchItem({ itemId: item.id }, { signal: one.signal }))
    await stream.until(1)
    one.abort()
  })
})
