/** Bots at many times their pace, on the real services behind a real port. */
import { type BidmeshClient, createBidmeshClient } from '@bidmesh/client'
import { startBid } from '@bidmesh/bid/bid-component.ts'
import type { Bid, Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { startLive } from '@bidmesh/live/live-component.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { createDemoClient } from './demo-client.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { worthOf } from './bot-catalogue.ts'
import { type Bots, createBots } from './bots.ts'

let database: TestDatabase
let server: Server
let bots: Bots
let bids: BidmeshClient['bids']

beforeEach(async () => {
  database = await createTestDatabase()
  const log = quietLog
  const { signal } = new AbortController()
  const services = { databaseUrl: database.url, redisUrl: undefined, log, signal }
  const bid = await startBid({ ...services, lanes: 2 })
  const live = await startLive({
    bidService: callInProcess(bid, log),
    redisUrl: undefined,
    broker: createMemoryBroker({ log }),
    viewersMax: 1,
    log,
  })
  bots = createBots({ count: 12, log, pace: { leastMs: 5, mostMs: 30 } })
  server = await startTestServer([bid, live, bots.component])
  bids = createBidmeshClient({ baseUrl: server.url }).bids
})

afterEach(async () => {
  await bots.component.stop()
  await server.stop()
  await database.drop()
})

async function look(): Promise<{ items: Item[]; bidders: Set<string>; placed: Bid[] }> {
  const { items } = await bids.listItems({ pageSize: 100 })
  const answers = await Promise.all(items.map(({ id }) => bids.getItemBids({ itemId: id })))
  const placed = answers.flatMap((answer) => answer.bids)
  return { items, placed, bidders: new Set(placed.map(({ userId }) => userId)) }
}

it('fill an empty market and bid against each other, until told to stop', async () => {
  bots.begin(createDemoClient(server.url))
  await eventually(async () => {
    const { items, bidders, placed } = await look()
    expect(items.length).toBe(6)
    expect(bidders.size).toBeGreaterThanOrEqual(3)
    expect(placed.length).toBeGreaterThan(20)
  })
  const { items } = await look()
  for (const item of items) {
    expect(item.highestBidderId).not.toBe(item.sellerId)
    // Nobody pays much more than it is worth, whatever the seller asks.
    expect(item.currentHighestBid).toBeLessThanOrEqual((worthOf(item.title) * 3n) / 2n)
  }
  // All of them end soon, so there is no reason for more.
  expect(items).toHaveLength(6)

  bots.component.drain?.()
  await bots.component.stop()
  const after = (await look()).items.map(({ version }) => version)
  expect((await look()).items.map(({ version }) => version)).toEqual(after)
})

it('outlive services that cannot be reached, and try again', async () => {
  await server.stop()
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  const log = createLog({ name: 'test', level: 'debug', destination })
  const lonely = createBots({ count: 2, log, pace: { leastMs: 1, mostMs: 20 } })
  lonely.begin(createDemoClient(server.url))
  await eventually(() => lines.filter((line) => line.includes('lost its turn')).length > 10)
  await lonely.component.stop()
  const linesAtStop = lines.length
  await bids.listItems({}).catch(() => undefined)
  expect(lines).toHaveLength(linesAtStop)
})

it('are nobody when none are wanted', async () => {
  const nobody = createBots({ count: 0, log: quietLog, pace: { leastMs: 1, mostMs: 2 } })
  nobody.begin(createDemoClient(server.url))
  await nobody.component.stop()
  expect((await look()).items).toEqual([])
})
