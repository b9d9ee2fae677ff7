/**
 * Every procedure of UserStatsService through a real server, as JSON over HTTP/1.1 and as gRPC over h2c,
 * over events that came through a broker; with Redis, without one, and with one that is dead.
 */
import { randomUUID } from 'node:crypto'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import {
  ListTopBiddersRequest_OrderBy as OrderBy,
  UserStatsService,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { silentLog } from '@bidmesh/platform/testing/test-rabbit.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrationsDirectory, startStats } from './stats-component.ts'
import { bidEvent, endEvent, testBid } from './test-events.ts'

const startMs = Date.UTC(2026, 0, 1)
const minuteMs = 60_000
const maxAmount = 10n ** 15n
const maxInt64 = 2n ** 63n - 1n

const lamp = randomUUID()
const desk = randomUUID()
const chair = randomUUID()
/** In euros; everything else is in dollars. */
const vase = randomUUID()
const bowl = randomUUID()

const cleanups: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(database: TestDatabase, redisUrl: string | undefined) {
  const broker = createMemoryBroker({ log: silentLog })
  const component = await startStats({
    databaseUrl: database.url,
    redisUrl,
    broker,
    log: quietLog,
    signal: new AbortController().signal,
  })
  const server = await startTestServer([component])
  cleanups.push(async () => {
    await server.stop()
    await broker.close()
  })
  return { broker, server }
}

let server: Server
const clients: Record<string, Client<typeof UserStatsService>> = {}
const protocols = ['JSON over HTTP/1.1', 'gRPC over h2c']

beforeAll(async () => {
  const database = await createTestDatabase(migrationsDirectory)
  cleanups.push(database.drop)
  const bid = (itemId: string, userId: string, amount: bigint, afterMs: number) =>
    bidEvent(testBid({ itemId, userId, amount, atMs: startMs + afterMs }))
  const events = [
    bid(lamp, 'ann', 100n, 0),
    bid(lamp, 'bob', 110n, 30_000),
    bid(lamp, 'ann', 120n, minuteMs),
    bid(desk, 'ann', 50n, 10 * minuteMs),
    bid(desk, 'Zoe', 60n, 10 * minuteMs + 1),
    endEvent({
      itemId: lamp,
      winner: { userId: 'ann', amount: 120n },
      atMs: startMs + 20 * minuteMs,
    }),
    endEvent({ itemId: chair, atMs: startMs }),
    ...inEuros(),
    ...Array.from({ length: 9_300 }, () =>
      bid(randomUUID(), 'whale', maxAmount, 24 * 60 * minuteMs),
    ),
  ]
  // A Redis that is dead: every answer below is Postgres's, and none of them is late or missing.
  const started = await start(database, `redis://127.0.0.1:${await freePort()}`)
  server = started.server
  await started.broker.publish(events)
  const baseUrl = server.url
  clients['JSON over HTTP/1.1'] = createClient(
    UserStatsService,
    createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
  )
  clients['gRPC over h2c'] = createClient(UserStatsService, createGrpcTransport({ baseUrl }))
})

/** A day before all others: eva bids in two currencies and wins in both. */
function inEuros() {
  const atMs = startMs - 24 * 60 * minuteMs
  const bids = [
    testBid({ itemId: vase, userId: 'eva', currency: 'EUR', amount: 700n, atMs }),
    testBid({ itemId: vase, userId: 'max', currency: 'EUR', amount: 800n, atMs }),
    testBid({ itemId: vase, userId: 'eva', currency: 'EUR', amount: 900n, atMs }),
    testBid({ itemId: bowl, userId: 'eva', amount: 30n, atMs }),
  ]
  const [, , vaseBid, bowlBid] = bids
  const unsold = ['EUR', 'EUR', 'JPY'].map((currency) => ({ itemId: randomUUID(), currency }))
  const sold = [100n, 300n, 200n].map((amount) => ({
    itemId: randomUUID(),
    winner: { userId: 'max', amount },
  }))
  return [
    ...bids.map((bid) => bidEvent(bid)),
    ...(vaseBid ? [endEvent({ itemId: vase, currency: 'EUR', winner: vaseBid, atMs })] : []),
    ...(bowlBid ? [endEvent({ itemId: bowl, winner: bowlBid, atMs })] : []),
    ...[...unsold, ...sold].map((end) => endEvent({ ...end, atMs })),
  ]
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof ConnectError)) throw error
  return Code[error.code]
}

const at = (afterMs: number) => timestampFromMs(startMs + afterMs)
const duration = (seconds: number) => durationFromMs(seconds * 1_000)

describe.each(protocols)('%s', (protocol) => {
  const client = () => clients[protocol] as Client<typeof UserStatsService>

  it('GetUserStats', async () => {
    expect(await client().getUserStats({ userId: 'ann' })).toMatchObject({
      stats: {
        userId: 'ann',
        totalBids: 3n,
        totalAmount: 270n,
        lastUpdatedAt: at(20 * minuteMs),
        itemsBidOn: 2n,
        highestBid: 120n,
        itemsWon: 1n,
        amountWon: 120n,
        firstBidAt: at(0),
        lastBidAt: at(10 * minuteMs),
        amounts: [{ currency: 'USD', totalAmount: 270n, amountWon: 120n, highestBid: 120n }],
      },
    })
  })

  it('GetUserStats of a user of two currencies: sums of each, and none of both', async () => {
    expect(await client().getUserStats({ userId: 'eva' })).toMatchObject({
      stats: {
        totalBids: 3n,
        totalAmount: 0n,
        itemsBidOn: 2n,
        highestBid: 0n,
        itemsWon: 2n,
        amountWon: 0n,
        amounts: [
          { currency: 'EUR', totalAmount: 1_600n, amountWon: 900n, highestBid: 900n },
          { currency: 'USD', totalAmount: 30n, amountWon: 30n, highestBid: 30n },
        ],
      },
    })
  })

  it('GetUserStats of a user never seen: zeros, no times', async () => {
    const { stats } = await client().getUserStats({ userId: 'nobody' })
    expect(stats).toMatchObject({
      userId: 'nobody',
      totalBids: 0n,
      totalAmount: 0n,
      itemsBidOn: 0n,
      highestBid: 0n,
      itemsWon: 0n,
      amountWon: 0n,
    })
    expect([stats?.lastUpdatedAt, stats?.firstBidAt, stats?.lastBidAt]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('GetItemStats, by an id in either case', async () => {
    for (const itemId of [lamp, lamp.toUpperCase()]) {
      expect(await client().getItemStats({ itemId })).toMatchObject({
        stats: {
          itemId: lamp,
          totalBids: 3n,
          uniqueBidders: 2n,
          highestBid: 120n,
          firstBidAt: at(0),
          lastBidAt: at(minuteMs),
          outcome: ItemOutcome.SOLD,
          hammerPrice: 120n,
          currency: 'USD',
        },
      })
    }
  })

  it('GetItemStats of an item still open, unsold, and never seen', async () => {
    expect(await client().getItemStats({ itemId: desk })).toMatchObject({
      stats: { totalBids: 2n, outcome: ItemOutcome.UNSPECIFIED, hammerPrice: 0n },
    })
    const { stats: unsold } = await client().getItemStats({ itemId: chair })
    expect(unsold).toMatchObject({ totalBids: 0n, outcome: ItemOutcome.UNSOLD, hammerPrice: 0n })
    expect(unsold?.firstBidAt).toBeUndefined()
    const itemId = randomUUID()
    const { stats: unknown } = await client().getItemStats({ itemId })
    expect(unknown).toMatchObject({ itemId, totalBids: 0n, uniqueBidders: 0n, highestBid: 0n })
    expect(unknown?.outcome).toBe(ItemOutcome.UNSPECIFIED)
  })

  it('ListTopBidders over all items', async () => {
    const order = async (orderBy: OrderBy, limit = 0) => {
      const { bidders } = await client().listTopBidders({ orderBy, limit })
      return bidders.map(({ userId }) => userId)
    }
    expect(await order(OrderBy.TOTAL_BIDS)).toEqual(['whale', 'ann', 'eva', 'Zoe', 'bob', 'max'])
    expect(await order(OrderBy.TOTAL_AMOUNT)).toEqual(['whale', 'ann', 'bob', 'Zoe', 'eva', 'max'])
    expect(await order(OrderBy.ITEMS_WON, 3)).toEqual(['max', 'eva', 'ann'])
    const { bidders } = await client().listTopBidders({ orderBy: OrderBy.TOTAL_BIDS, limit: 3 })
    expect(bidders.slice(1)).toMatchObject([
      {
        userId: 'ann',
        totalBids: 3n,
        totalAmount: 270n,
        itemsWon: 1n,
        highestBid: 120n,
        amounts: [{ currency: 'USD', totalAmount: 270n, amountWon: 120n, highestBid: 120n }],
      },
      {
        userId: 'eva',
        totalBids: 3n,
        totalAmount: 0n,
        itemsWon: 2n,
        highestBid: 0n,
        amounts: [{ currency: 'EUR' }, { currency: 'USD' }],
      },
    ])
  })

  it('ListTopBidders by the sum in one currency: who never bid in it is not there', async () => {
    const request = { orderBy: OrderBy.TOTAL_AMOUNT, currency: 'EUR' }
    const { bidders } = await client().listTopBidders(request)
    expect(bidders.map(({ userId }) => userId)).toEqual(['eva', 'max'])
    const none = await client().listTopBidders({ ...request, currency: 'CHF' })
    expect(none.bidders).toEqual([])
  })

  it('ListTopBidders on one item', async () => {
    const { bidders } = await client().listTopBidders({
      itemId: lamp.toUpperCase(),
      orderBy: OrderBy.ITEMS_WON,
    })
    expect(bidders).toMatchObject([
      {
        userId: 'ann',
        totalBids: 2n,
        totalAmount: 220n,
        itemsWon: 1n,
        highestBid: 120n,
        amounts: [{ currency: 'USD', totalAmount: 220n, amountWon: 120n, highestBid: 120n }],
      },
      { userId: 'bob', totalBids: 1n, totalAmount: 110n, itemsWon: 0n, highestBid: 110n },
    ])
    // Equal by count: by user id, in byte order.
    const onDesk = await client().listTopBidders({ itemId: desk, orderBy: OrderBy.TOTAL_BIDS })
    expect(onDesk.bidders.map(({ userId }) => userId)).toEqual(['Zoe', 'ann'])
    expect((await client().listTopBidders({ itemId: randomUUID() })).bidders).toEqual([])
  })

  it('GetMarketActivity, empty buckets included', async () => {
    const { buckets } = await client().getMarketActivity({
      from: at(59_999),
      to: at(15 * minuteMs),
      bucket: duration(300),
    })
    expect(buckets).toMatchObject([
      { start: at(0), bids: 3n, amount: 330n, uniqueBidders: 2n },
      { start: at(5 * minuteMs), bids: 0n, amount: 0n, uniqueBidders: 0n },
      { start: at(10 * minuteMs), bids: 2n, amount: 110n, uniqueBidders: 2n },
    ])
    const byMinute = await client().getMarketActivity({
      from: at(0),
      to: at(2 * minuteMs),
      bucket: duration(60),
    })
    expect(byMinute.buckets.map(({ bids }) => bids)).toEqual([2n, 1n])
  })

  it('GetMarketActivity by currency: bids, hammer totals, sold and unsold, the median', async () => {
    const { buckets, currencies } = await client().getMarketActivity({
      from: at(-24 * 60 * minuteMs),
      to: at(-23 * 60 * minuteMs),
    })
    const eur = { currency: 'EUR', bids: 3n, amount: 2_400n }
    const usd = { currency: 'USD', bids: 1n, amount: 30n }
    expect(buckets).toMatchObject([
      { bids: 4n, amount: 0n, uniqueBidders: 2n, amounts: [eur, usd] },
    ])
    expect(currencies).toMatchObject([
      { ...eur, itemsSold: 1n, itemsUnsold: 2n, hammerTotal: 900n, medianHammerPrice: 900n },
      { currency: 'JPY', bids: 0n, amount: 0n, itemsSold: 0n, itemsUnsold: 1n, hammerTotal: 0n },
      { ...usd, itemsSold: 4n, itemsUnsold: 0n, hammerTotal: 630n, medianHammerPrice: 100n },
    ])
  })

  it('GetMarketActivity without a word is the last day by the hour', async () => {
    const { buckets } = await client().getMarketActivity({})
    expect(buckets.length).toBeGreaterThanOrEqual(24)
    expect(buckets.length).toBeLessThanOrEqual(25)
  })

  it('sums beyond int64 are shown as its largest', async () => {
    const { stats } = await client().getUserStats({ userId: 'whale' })
    expect(stats).toMatchObject({ totalBids: 9_300n, totalAmount: maxInt64 })
    const { bidders } = await client().listTopBidders({ orderBy: OrderBy.TOTAL_AMOUNT, limit: 1 })
    expect(bidders).toMatchObject([{ userId: 'whale', totalAmount: maxInt64 }])
    const day = at(24 * 60 * minuteMs)
    const { buckets } = await client().getMarketActivity({ from: day, to: at(25 * 60 * minuteMs) })
    expect(buckets).toMatchObject([{ bids: 9_300n, amount: maxInt64, uniqueBidders: 1n }])
  })

  it.each<[string, (stats: Client<typeof UserStatsService>) => Promise<unknown>]>([
    ['no user', (stats) => stats.getUserStats({})],
    ['a user of 129 characters', (stats) => stats.getUserStats({ userId: 'a'.repeat(129) })],
    ['a NUL in the user', (stats) => stats.getUserStats({ userId: 'a\0' })],
    ['no item', (stats) => stats.getItemStats({})],
    ['an item that is no UUID', (stats) => stats.getItemStats({ itemId: "' OR 1=1" })],
    ['leaders of no UUID', (stats) => stats.listTopBidders({ itemId: 'lamp' })],
    ['a limit of 101', (stats) => stats.listTopBidders({ limit: 101 })],
    ['a currency nobody has', (stats) => stats.listTopBidders({ currency: 'XYZ' })],
    ['a negative limit', (stats) => stats.listTopBidders({ limit: -1 })],
    ['an order nobody knows', (stats) => stats.listTopBidders({ orderBy: 7 as OrderBy })],
    ['a bucket of no time', (stats) => stats.getMarketActivity({ bucket: duration(0) })],
    ['a bucket below a minute', (stats) => stats.getMarketActivity({ bucket: duration(59) })],
    ['a bucket of 32 days', (stats) => stats.getMarketActivity({ bucket: duration(2_764_800) })],
    ['a bucket of 90 s', (stats) => stats.getMarketActivity({ bucket: duration(90) })],
    ['more than 1,000 buckets', (stats) => stats.getMarketActivity({ bucket: duration(60) })],
    ['from = to', (stats) => stats.getMarketActivity({ from: at(0), to: at(0) })],
    ['from after to', (stats) => stats.getMarketActivity({ from: at(1), to: at(0) })],
    ['before 1970', (stats) => stats.getMarketActivity({ to: timestampFromMs(-1) })],
  ])('refuses %s', async (_, call) => {
    expect(await codeOf(call(client()))).toBe('InvalidArgument')
  })
})

it('a binary time that no calendar has is the caller’s mistake', async () => {
  const to = { seconds: 10n ** 13n, nanos: 0 }
  const call = clients['gRPC over h2c']?.getMarketActivity({ to })
  expect(await codeOf(call ?? Promise.resolve())).toBe('InvalidArgument')
})

it('int64 is text in JSON, and zeros are written out', async () => {
  const response = await fetch(`${server.url}/userstats.v1.UserStatsService/GetUserStats`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: 'bob' }),
  })
  expect(await response.json()).toEqual({
    stats: {
      userId: 'bob',
      totalBids: '1',
      totalAmount: '110',
      lastUpdatedAt: '2026-01-01T00:00:30Z',
      itemsBidOn: '1',
      highestBid: '110',
      itemsWon: '0',
      amountWon: '0',
      firstBidAt: '2026-01-01T00:00:30Z',
      lastBidAt: '2026-01-01T00:00:30Z',
      amounts: [{ currency: 'USD', totalAmount: '110', amountWon: '0', highestBid: '110' }],
    },
  })
})

it('without Redis at all the leaders are the same', async () => {
  const database = await createTestDatabase(migrationsDirectory)
  cleanups.push(database.drop)
  const { broker, server: other } = await start(database, undefined)
  await broker.publish([bidEvent(testBid({ userId: 'bob' })), bidEvent(testBid())])
  const stats = createClient(UserStatsService, createGrpcTransport({ baseUrl: other.url }))
  const { bidders } = await stats.listTopBidders({})
  expect(bidders.map(({ userId }) => userId)).toEqual(['ann', 'bob'])
})

it('says it is ready', async () => {
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
})
