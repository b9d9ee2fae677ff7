/** Bidmesh's client against the real services, by way of a network that cuts connections whenever it likes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { startBid } from '@bidmesh/bid/bid-component.ts'
import { bidRejectionOf, type BidmeshClient, createBidmeshClient } from '@bidmesh/client'
import { createBidmeshClient as createNodeClient } from '@bidmesh/client/node'
import { statsQueue } from '@bidmesh/events/queues.ts'
import { type Bid, BidRejectionReason } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { startLive } from '@bidmesh/live/live-component.ts'
import { startRelayComponent } from '@bidmesh/outbox-worker/relay-component.ts'
import { type Broker } from '@bidmesh/platform/broker/broker.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTcpProxy, type TcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { Code } from '@connectrpc/connect'
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest'

let database: TestDatabase
let broker: Broker
let server: Server
let proxy: TcpProxy
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  broker = createMemoryBroker({ log: quietLog })
  const { signal } = new AbortController()
  const common = {
    databaseUrl: database.url,
    redisUrl: inject('redisUrl'),
    broker,
    log: quietLog,
    signal,
  }
  // In place of the statistics, whose queue the relay insists on.
  await broker.subscribe({ ...statsQueue, prefetch: 100 }, async () => undefined)
  const bid = await startBid({ ...common, lanes: 1 })
  const live = await startLive({
    ...common,
    bidService: callInProcess(bid, quietLog),
    viewersMax: 50,
  })
  server = await startTestServer([bid, live, await startRelayComponent(common)])
  proxy = await startTcpProxy(server.url)
})

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

afterAll(async () => {
  await proxy.close()
  await server.stop()
  await broker.close()
  await database.drop()
})

/** Over the network that is cut. */
const clients: Record<string, () => BidmeshClient> = {
  fetch: () => createBidmeshClient({ baseUrl: proxy.url }),
  'Node’s http': () => createNodeClient({ baseUrl: proxy.url }),
  'HTTP/2': () => {
    const client = createNodeClient({ baseUrl: proxy.url, httpVersion: '2' })
    cleanups.push(client.close)
    return client
  },
}

async function putItem(): Promise<string> {
  const { item } = await createBidmeshClient({ baseUrl: server.url }).bids.createItem({
    title: 'Lamp',
    startPrice: 100n,
    minIncrement: 1n,
    endAt: timestampFromMs(Date.now() + 30_000),
    // Each bid moves the end.
    softClose: { window: { seconds: 60n }, extension: { seconds: 60n }, maxExtensions: 1_000 },
    sellerId: 'sam',
  })
  return item?.id ?? ''
}

/** Cuts all connections every few milliseconds, sometimes before anything has come. */
async function cutUntil(stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await sleep(Math.random() ** 2 * 400)
    proxy.cut()
  }
}

it.each(Object.entries(clients))(
  'every bid is decided once, and told once and in order, however often connections are cut: %s',
  async (_, open) => {
    const itemId = await putItem()
    const { bids, watchBids, watchItem } = open()
    const stop = new AbortController()
    const told: Bid[] = []
    const messages: WatchItemResponse[] = []
    const watching = Promise.all([
      (async () => {
        const request = { itemId, afterSequence: 0n }
        for await (const bid of watchBids(request, { signal: stop.signal })) told.push(bid)
      })(),
      (async () => {
        for await (const message of watchItem({ itemId }, { signal: stop.signal }))
          messages.push(message)
      })(),
    ])
    const calm = new AbortController()
    const cutting = cutUntil(calm.signal)
    const placed: Bid[] = []
    for (let amount = 100n; amount < 160n; amount += 1n) {
      const { bid } = await placeAnyhow(bids, itemId, amount)
      if (bid) placed.push(bid)
      await sleep(20)
    }
    calm.abort()
    await cutting
    await eventually(() => expect(told).toHaveLength(60))
    await eventually(() => expect(messages.some(({ sequence }) => sequence === 60n)).toBe(true))
    stop.abort()
    await watching
    expect(placed.map(({ sequence }) => sequence)).toEqual(
      placed.map((_bid, index) => BigInt(index + 1)),
    )
    expect(told.map(({ id }) => id)).toEqual(placed.map(({ id }) => id))
    expectNoGap(messages)
  },
)

/** With one key over all tries, also those after the client has given up for its budget. */
async function placeAnyhow(bids: BidmeshClient['bids'], itemId: string, amount: bigint) {
  const bid = { itemId, amount, userId: 'ann', idempotencyKey: `${itemId}/${amount}` }
  for (;;) {
    try {
      return await bids.placeBid(bid)
    } catch (error) {
      // A decision would be an error of the test: nobody else bids.
      if (bidRejectionOf(error)) throw error
    }
  }
}

/** Bids follow each other, or a snapshot lies between; the end moves once for each bid. */
function expectNoGap(messages: readonly WatchItemResponse[]): void {
  let [last, extensions] = [-1n, -1]
  let snapshots = 0
  for (const { event, sequence } of messages) {
    if (event.case === 'bidPlaced') expect(sequence).toBe(last + 1n)
    if (event.case === 'endMoved') expect(event.value.extensionCount).toBeGreaterThan(extensions)
    if (event.case === 'bidPlaced' || event.case === 'snapshot') last = sequence
    if (event.case === 'endMoved') extensions = event.value.extensionCount
    if (event.case !== 'snapshot') continue
    snapshots += 1
    extensions = event.value.item?.extensionCount ?? -1
  }
  expect(snapshots).toBeGreaterThan(0)
  expect(last).toBe(60n)
}

it('what cannot be retried ends with its reason, of calls and of streams', async () => {
  const { bids, watchItem } = createBidmeshClient({ baseUrl: server.url })
  const itemId = await putItem()
  const tooLow: unknown = await bids
    .placeBid({ itemId, amount: 1n, userId: 'ann' })
    .catch((error: unknown) => error)
  expect(bidRejectionOf(tooLow)).toMatchObject({
    reason: BidRejectionReason.TOO_LOW,
    minimumNextBid: 100n,
  })
  const nowhere = watchItem({ itemId: '00000000-0000-4000-8000-000000000000' })
  await expect(nowhere.next()).rejects.toMatchObject({ code: Code.NotFound })
  await expect(watchItem({ itemId: 'no id' }).next()).rejects.toMatchObject({
    code: Code.InvalidArgument,
  })
})

it('a connection that has become a black hole is left within the deadline', async () => {
  const { bids } = createNodeClient({
    baseUrl: proxy.url,
    httpVersion: '1.1',
    attemptTimeoutMs: 500,
  })
  const itemId = await putItem()
  await bids.getItem({ id: itemId })
  proxy.swallow()
  const startMs = performance.now()
  expect((await bids.getItem({ id: itemId })).item?.title).toBe('Lamp')
  expect(performance.now() - startMs).toBeLessThan(5_000)
})
