/** Two live services on one RabbitMQ and one Redis: what one viewer sees, all see, wherever they are. */
import { connectService, type ServiceClient } from '@bidmesh/platform/rpc/service-client.ts'
import { randomBytes } from 'node:crypto'
import { migrationsDirectory, startBid } from '@bidmesh/bid/bid-component.ts'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { BidmeshClient } from '@bidmesh/client'
import { createBidmeshClient } from '@bidmesh/client/node'
import { LiveService, type WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { startRelayComponent } from '@bidmesh/outbox-worker/relay-component.ts'
import { statsQueue } from '@bidmesh/events/queues.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { startTestRabbit, type TestRabbit } from '@bidmesh/platform/testing/test-rabbit.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { startLive } from '@bidmesh/live/live-component.ts'

let database: TestDatabase
const servers: Server[] = []
const rabbits: TestRabbit[] = []
let bids: BidmeshClient['bids']
let lives: BidmeshClient['live'][]
let bidService: ServiceClient

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const log = quietLog
  const namespace = `live-test-${randomBytes(4).toString('hex')}`
  const { signal } = new AbortController()
  const common = { databaseUrl: database.url, redisUrl: inject('redisUrl'), log, signal }
  for (const role of ['write side', 'live', 'live']) {
    const rabbit = await startTestRabbit({ namespace })
    const { broker } = rabbit
    rabbits.push(rabbit)
    const components =
      role === 'live'
        ? [
            await startLive({
              ...common,
              bidService: bidService.transport,
              broker,
              viewersMax: 100,
            }),
          ]
        : [
            await startBid({ ...common, lanes: 1 }),
            await startRelayComponent({ ...common, broker }),
          ]
    const server = await startTestServer(components)
    servers.push(server)
    if (role === 'write side') bidService = connectService('bid', [server.url])
  }
  const [bidUrl = '', ...liveUrls] = servers.map(({ url }) => url)
  bids = createBidmeshClient({ baseUrl: bidUrl }).bids
  lives = liveUrls.map((baseUrl) => createBidmeshClient({ baseUrl }).live)
})

afterAll(async () => {
  bidService.close()
  await Promise.all(servers.map(async (server) => await server.stop()))
  const [rabbit] = rabbits
  // Declared by the relay, consumed by nobody here.
  const queue = rabbit?.topology.name(statsQueue.name)
  await rabbit?.admin.deleteQueue(queue ?? '')
  await rabbit?.admin.deleteQueue(`${queue}.dead`)
  for (const each of rabbits) await each.close()
  await database.drop()
})

async function putItem(): Promise<string> {
  const endAt = timestampFromMs(Date.now() + 3_600_000)
  const { item } = await bids.createItem({
    title: 'Lamp',
    startPrice: 100n,
    endAt,
    sellerId: 'sam',
  })
  return item?.id ?? ''
}

type Watching = { seen: WatchItemResponse[]; ended: Promise<Code>; stop: () => void }

function watch(
  client: Client<typeof LiveService> | undefined,
  itemId: string,
  options: { userId?: string; afterSequence?: bigint } = {},
): Watching {
  const stop = new AbortController()
  const seen: WatchItemResponse[] = []
  const read = async (): Promise<Code> => {
    try {
      const messages = client?.watchItem({ itemId, ...options }, { signal: stop.signal }) ?? []
      for await (const message of messages) seen.push(message)
      throw new Error('the stream ended without a reason')
    } catch (error) {
      if (error instanceof ConnectError) return error.code
      throw error
    }
  }
  return { seen, ended: read(), stop: () => stop.abort() }
}

const told = ({ seen }: Watching, name: string) =>
  seen.filter(({ event }) => event.case === name).map(({ event }) => event.value)

it('shows bids, chat and viewers of all replicas', async () => {
  const itemId = await putItem()
  const [first, second] = lives
  const ann = watch(first, itemId, { userId: 'ann' })
  const bob = watch(second, itemId, { userId: 'bob' })
  const annAgain = watch(second, itemId, { userId: 'ann' })
  const all = [ann, bob, annAgain]
  await eventually(() => expect(all.every(({ seen }) => seen.length > 0)).toBe(true))
  await bids.placeBid({ itemId, userId: 'ann', amount: 100n })
  await first?.sendChatMessage({ itemId, userId: 'ann', text: 'from the first' })
  await second?.sendChatMessage({ itemId, userId: 'bob', text: 'from the second' })
  await eventually(() => {
    for (const viewer of all) {
      expect(told(viewer, 'bidPlaced')).toHaveLength(1)
      expect(told(viewer, 'chatMessage')).toMatchObject([
        { text: 'from the first', userId: 'ann' },
        { text: 'from the second', userId: 'bob' },
      ])
      expect(told(viewer, 'viewerCount').at(-1)).toMatchObject({ viewers: 2n })
    }
  })
  const { messages } = (await second?.listChatMessages({ itemId })) ?? {}
  expect(messages?.map(({ text }) => text)).toEqual(['from the second', 'from the first'])
  for (const viewer of all) viewer.stop()
})

it('tells viewers to go elsewhere when a server stops, and elsewhere they go on', async () => {
  const itemId = await putItem()
  const [first, second] = lives
  const [, firstServer] = servers
  const overGrpc: Transport = createGrpcTransport({ baseUrl: firstServer?.url ?? '' })
  const leaving = [watch(first, itemId), watch(createClient(LiveService, overGrpc), itemId)]
  const staying = watch(second, itemId)
  const amounts = [100n, 200n, 300n]
  for (const amount of amounts) await bids.placeBid({ itemId, userId: 'ann', amount })
  await eventually(() => {
    for (const viewer of [...leaving, staying]) expect(viewer.seen.at(-1)?.sequence).toBe(3n)
  })
  const startedAt = performance.now()
  await firstServer?.stop()
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect(await Promise.all(leaving.map(({ ended }) => ended))).toEqual([
    Code.Unavailable,
    Code.Unavailable,
  ])
  await bids.placeBid({ itemId, userId: 'bob', amount: 400n })
  const resumed = watch(second, itemId, { afterSequence: 3n })
  await eventually(() => expect(told(resumed, 'bidPlaced')).toHaveLength(1))
  expect(resumed.seen[0]?.event.case).toBe('bidPlaced')
  await eventually(() => expect(told(staying, 'viewerCount').at(-1)).toMatchObject({ viewers: 2n }))
  for (const viewer of [staying, resumed]) viewer.stop()
})
