/** All parts of Bidmesh in this process on databases that tests trouble, and what callers and probes see of it. */
import { randomUUID } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { startAuctioneerComponent, startBid } from '@bidmesh/bid/bid-component.ts'
import {
  BidRejectionReason,
  BidRejectionSchema,
  BidService,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { BidPlacedSchema } from '@bidmesh/gen/events/v1/events_pb.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { UserStatsService } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { startLive } from '@bidmesh/live/live-component.ts'
import { startRelayComponent } from '@bidmesh/outbox-worker/relay-component.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import { startStats } from '@bidmesh/stats/stats-component.ts'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { expect } from 'vitest'

/** What is asked for: seconds, on a busy machine. */
const backWithinMs = 5_000

/** @param url of a database by its name */
export async function startWorld(
  names: { bid: string; stats: string },
  url: (name: string) => string,
  cleanups: (() => unknown)[],
) {
  const { signal } = new AbortController()
  const broker = createMemoryBroker({ log: quietLog })
  const common = { redisUrl: undefined, log: quietLog, signal }
  const [bidUrl, statsUrl] = [url(names.bid), url(names.stats)]
  const stats = await startStats({ ...common, databaseUrl: statsUrl, broker })
  const bid = await startBid({ ...common, databaseUrl: bidUrl, lanes: 2 })
  const live = await startLive({
    ...common,
    bidService: callInProcess(bid, quietLog),
    broker,
    viewersMax: 10,
  })
  const auctioneer = await startAuctioneerComponent({ ...common, databaseUrl: bidUrl })
  const relay = await startRelayComponent({ databaseUrl: bidUrl, broker, log: quietLog, signal })
  const server = await startTestServer([stats, bid, live, auctioneer, relay])
  cleanups.push(() => broker.close(), server.stop)
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' })
  const open = (name: string) => {
    const sql = connectPostgres(url(name), { max: 1, applicationName: 'test' })
    cleanups.push(() => sql.end({ timeout: 1 }))
    return sql
  }
  return {
    broker,
    bids: createClient(BidService, transport),
    stats: createClient(UserStatsService, transport),
    live: createClient(LiveService, transport),
    bidSql: open(names.bid),
    statsSql: open(names.stats),
    async components(): Promise<Record<string, string>> {
      const answer = await fetch(`${server.url}/readyz`)
      const { components }: { components: Record<string, string> } = JSON.parse(await answer.text())
      return components
    },
  }
}
export type World = Awaited<ReturnType<typeof startWorld>>

export async function putItem({ bids }: World, endInMs = 3_600_000) {
  const { item } = await bids.createItem({
    title: 'Lamp',
    sellerId: 'sam',
    startPrice: 100n,
    minIncrement: 1n,
    endAt: timestampFromMs(Date.now() + endInMs),
    softClose: { maxExtensions: 0 },
  })
  if (!item) throw new Error('no item')
  return item
}

let amount = 100n
/** Above every bid before it. */
export async function placeBid({ bids }: World, itemId: string, userId = 'ann', keyed = true) {
  amount += 1n
  const idempotencyKey = keyed ? randomUUID() : ''
  return await bids.placeBid({ itemId, userId, amount, idempotencyKey })
}

export async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  return ConnectError.from(
    await call.then(
      () => 'it worked',
      (error: unknown) => error,
    ),
  )
}

/** Every command is rejected for the moment, in words without SQL; a bid with its rejection. */
export async function rejectsCommands(world: World, itemId: string): Promise<void> {
  const bid = await failureOf(placeBid(world, itemId))
  expect(bid.code).toBe(Code.Unavailable)
  expect(bid.findDetails(BidRejectionSchema)).toMatchObject([
    { reason: BidRejectionReason.UNAVAILABLE },
  ])
  const commands = [
    () => putItem(world),
    () => world.bids.updateItem({ id: itemId, userId: 'sam', title: 'Lamps' }),
    () => world.bids.cancelItem({ id: itemId, userId: 'sam', reason: 'broken' }),
  ]
  for (const command of commands) {
    const error = await failureOf(command())
    expect(error.code).toBe(Code.Unavailable)
    expect(error.rawMessage).toMatch(/unavailable or refuses/)
  }
}

/** A bid event of `userId`, on its way to the statistics past the outbox. Resolves once it has taken effect. */
export async function publishBid({ broker }: World, userId: string): Promise<void> {
  const id = randomUUID()
  const itemId = randomUUID()
  const message = create(BidPlacedSchema, {
    bidId: id,
    itemId,
    userId,
    amount: 7n,
    timestamp: timestampFromMs(Date.now()),
    sequence: 1n,
  })
  const payload = toBinary(BidPlacedSchema, message)
  const event = {
    id,
    type: 'bid.placed',
    key: itemId,
    payload,
    headers: {},
    occurredAt: new Date(),
  }
  await broker.publish([event])
}

export async function countsFor(
  { stats }: World,
  userId: string,
  totalBids: bigint,
): Promise<void> {
  await eventually(async () => {
    expect((await stats.getUserStats({ userId })).stats).toMatchObject({ totalBids })
  })
}

/** All components are ready, bids are accepted and counted, items close, and nobody was put aside meanwhile. */
export async function serves(world: World, itemId: string): Promise<void> {
  await eventually(() => placeBid(world, itemId), { limitMs: backWithinMs })
  await eventually(async () => {
    const notReady = Object.entries(await world.components()).filter(([, state]) => state !== 'ok')
    expect(notReady).toEqual([])
  })
  const { id } = await putItem(world, 2_000)
  await eventually(async () => {
    expect((await world.bids.getItem({ id })).item?.outcome).toBeGreaterThan(0)
  })
  const [bids] = await world.bidSql<{ all: bigint }[]>`
    SELECT count(*) AS all FROM bids WHERE user_id = 'ann'`
  await countsFor(world, 'ann', bids?.all ?? 0n)
  expect(world.broker.deadLetters()).toEqual([])
}
