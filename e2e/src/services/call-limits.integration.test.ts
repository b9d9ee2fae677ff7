/** How often one may call: over two servers, a real Redis, and one that is away or says nothing. */
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { RetryInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import { migrationsDirectory, startBid } from '@bidmesh/bid/bid-component.ts'
import { PLACES_MAX } from '@bidmesh/bid/bidder-places.ts'
import { startLive } from '@bidmesh/live/live-component.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { checkTokens } from '@bidmesh/platform/identity/authenticator.ts'
import { createCallLimits } from '@bidmesh/platform/identity/call-limits.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTcpProxy, type TcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import {
  audience,
  inSeconds,
  startTestIssuer,
  type TestIssuer,
} from '@bidmesh/platform/testing/test-issuer.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'

const READS = 300
const ITEMS = 20
/** After which a caller has all of a limit again, and a little more. */
const WINDOW_MS = 10_200

let issuer: TestIssuer
let database: TestDatabase
let redis: TcpProxy
let servers: Server[]
const undo: (() => unknown)[] = []

beforeAll(async () => {
  issuer = await startTestIssuer()
  database = await createTestDatabase(migrationsDirectory)
  redis = await startTcpProxy(inject('redisUrl'))
  const tokens = checkTokens({
    issuer: issuer.url,
    audiences: [audience],
    rolesClaim: 'roles',
    algorithms: ['RS256'],
    leewaySeconds: 0,
    log: quietLog,
  })
  undo.push(redis.close, issuer.stop, database.drop, tokens.stop)
  const broker = createMemoryBroker({ log: quietLog })
  const { signal } = new AbortController()
  servers = []
  for (let count = 0; count < 2; count += 1) {
    const options = { databaseUrl: database.url, redisUrl: undefined, log: quietLog, signal }
    const bid = await startBid({ ...options, lanes: 1 })
    const bidService = callInProcess(bid, quietLog)
    const live = await startLive({ ...options, broker, bidService, viewersMax: 500 })
    const limits = await createCallLimits({ factor: 1, redisUrl: redis.url, log: quietLog })
    const server = await startTestServer([bid, live], tokens, {
      limits,
      trustedProxies: ['127.0.0.1'],
    })
    servers.push(server)
    undo.push(server.stop, limits.stop)
  }
})

afterAll(async () => {
  for (const step of undo.toReversed()) await step()
})

type Who = { sub?: string; roles?: string[]; from?: string }
let addresses = 0

/** Somebody, from an address of their own. */
async function as(who: Who, server = servers[0], grpc = false): Promise<Client<typeof BidService>> {
  const { sub, roles = ['bidder', 'seller'], from = `192.0.2.${(addresses += 1)}` } = who
  const token = sub && (await issuer.token({ sub, roles, exp: inSeconds(600) }))
  const baseUrl = server?.url ?? ''
  const options = {
    baseUrl,
    interceptors: [
      (next: Parameters<import('@connectrpc/connect').Interceptor>[0]) =>
        (request: Parameters<typeof next>[0]) => {
          if (token) request.header.set('authorization', `Bearer ${token}`)
          request.header.set('x-forwarded-for', from)
          return next(request)
        },
    ],
  }
  const transport = grpc
    ? createGrpcTransport({ ...options, idleConnectionTimeoutMs: 1_000 })
    : createConnectTransport({ ...options, httpVersion: '1.1' })
  return createClient(BidService, transport)
}

/** How many of so many calls are answered, and what the others are told. */
async function times(count: number, call: () => Promise<unknown>) {
  const refusals: ConnectError[] = []
  let answered = 0
  for (let done = 0; done < count; done += 20) {
    const part = Array.from({ length: Math.min(20, count - done) }, call)
    for (const result of await Promise.allSettled(part)) {
      if (result.status === 'fulfilled') answered += 1
      else refusals.push(ConnectError.from(result.reason))
    }
  }
  return { answered, refusals }
}

describe('of one caller', () => {
  it('calls beyond the limit are refused, with when to come again, and others are not', async () => {
    const ann = await as({ sub: 'ann' })
    const { answered, refusals } = await times(READS + 20, () => ann.listItems({ pageSize: 1 }))
    expect(answered).toBe(READS)
    expect(refusals).toHaveLength(20)
    for (const refusal of refusals) {
      expect(refusal.code).toBe(Code.ResourceExhausted)
      const seconds = Number(refusal.metadata.get('retry-after'))
      expect(seconds).toBeGreaterThan(0)
      expect(seconds).toBeLessThanOrEqual(10)
      const [info] = refusal.findDetails(RetryInfoSchema)
      expect(Number(info?.retryDelay?.seconds)).toBe(seconds)
    }
    await (await as({ sub: 'ben' })).listItems({})
    // Of another kind there is as much as before.
    await expect(ann.placeBid({ itemId: 'x', amount: 1n })).rejects.toThrow(/item_id/)
  })

  it('the limit is one over all servers and protocols', async () => {
    const [here, there] = [await as({ sub: 'cleo' }), await as({ sub: 'cleo' }, servers[1], true)]
    expect((await times(READS, () => here.listItems({ pageSize: 1 }))).answered).toBe(READS)
    const refused = await eventually(async () => {
      const { refusals } = await times(20, () => there.listItems({ pageSize: 1 }))
      expect(refusals.length).toBeGreaterThan(0)
      return refusals
    })
    expect(refused[0]?.code).toBe(Code.ResourceExhausted)
  })

  it('operators may more, and items are limited as well', async () => {
    const olga = await as({ sub: 'olga', roles: ['operator'] })
    expect((await times(READS + 50, () => olga.listItems({ pageSize: 1 }))).refusals).toEqual([])
    const sam = await as({ sub: 'sam' })
    const endAt = timestampFromMs(Date.now() + 3_600_000)
    const put = () => sam.createItem({ title: 'Lamp', startPrice: 100n, endAt })
    expect(await times(ITEMS + 5, put)).toMatchObject({ answered: ITEMS })
  })
})

it('of one address there is a limit for all who come from it, named or not', async () => {
  const from = '198.51.100.7'
  const callers = await Promise.all([
    as({ from }),
    ...Array.from({ length: 11 }, (_, index) => as({ sub: `guest-${index}`, from })),
  ])
  let answered = 0
  for (const caller of callers)
    answered += (await times(280, () => caller.listItems({ pageSize: 1 }))).answered
  expect(answered).toBe(3_000)
  // What somebody writes into the header themselves is not where they come from.
  const spoofing = await as({ from: `203.0.113.99, ${from}` })
  await expect(spoofing.listItems({})).rejects.toThrow(/your address/)
})

it('streams of live are limited too, and its pages say it by HTTP', async () => {
  const { url = '' } = servers[0] ?? {}
  const token = await issuer.token({ sub: 'vic', roles: [], exp: inSeconds(600) })
  const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': '198.51.100.8' }
  const page = () => fetch(`${url}/live/items/00000000-0000-4000-8000-000000000001`, { headers })
  const statuses: string[] = []
  for (let count = 0; count < 62; count += 1) {
    const response = await page()
    statuses.push(`${response.status} ${(await response.text()).includes('too often')}`)
  }
  expect(statuses.filter((status) => status.endsWith('true'))).toHaveLength(2)
})

it('a Redis that is away, or silent, costs no call a moment, and limits stay', async () => {
  for (const kind of ['away', 'silent']) {
    const rob = await as({ sub: `rob-${kind}` })
    if (kind === 'away') await redis.refuse()
    else redis.freeze()
    const startMs = performance.now()
    expect((await times(READS + 20, () => rob.listItems({ pageSize: 1 }))).answered).toBe(READS)
    // Of twenty at a time none has waited for the 200 ms in which a silent Redis is given up.
    expect(performance.now() - startMs).toBeLessThan(((READS + 20) / 20) * 200)
    if (kind === 'away') await redis.listen()
    else redis.thaw()
  }
})

it('what was counted while Redis was away holds nobody off once it is back', async () => {
  const ira = await Promise.all([as({ sub: 'ira' }), as({ sub: 'ira' }, servers[1])])
  const refusedOf = async (count: number) => {
    const both = ira.map((caller) => times(count, () => caller.listItems({ pageSize: 1 })))
    return (await Promise.all(both)).flatMap(({ refusals }) => refusals)
  }
  await redis.refuse()
  expect(await refusedOf(READS - 100)).toEqual([])
  await sleep(WINDOW_MS)
  await redis.listen()
  // Connections are tried again every 2 s, and counts added four times a second.
  for (let round = 0; round < 12; round += 1) {
    expect(await refusedOf(5)).toEqual([])
    await sleep(250)
  }
}, 30_000)

it('one bidder cannot take all places of a lane', async () => {
  // By a process without limits, as in trusted mode.
  const { signal } = new AbortController()
  const options = { databaseUrl: database.url, redisUrl: undefined, log: quietLog, signal }
  const server = await startTestServer([await startBid({ ...options, lanes: 1 })])
  undo.push(server.stop)
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' })
  const bids = createClient(BidService, transport)
  const endAt = timestampFromMs(Date.now() + 3_600_000)
  const { item } = await bids.createItem({
    title: 'Lamp',
    startPrice: 100n,
    endAt,
    sellerId: 'sue',
  })
  const itemId = item?.id ?? ''
  const codeOf = (bid: Promise<unknown>) =>
    bid.then(
      () => 'ok',
      (error: unknown) => ConnectError.from(error).code,
    )
  await inTransaction(database.url, async (sql) => {
    // Nothing is decided while somebody holds the row.
    await sql`SELECT 1 FROM items WHERE id = ${itemId} FOR UPDATE`
    const bid = (userId: string) => codeOf(bids.placeBid({ itemId, amount: 100n, userId }))
    const many = Array.from({ length: 3 * PLACES_MAX }, () => bid('max'))
    const other = bid('may')
    const codes = await Promise.all(many)
    expect(codes.filter((code) => code === Code.ResourceExhausted)).toHaveLength(2 * PLACES_MAX)
    // It waited like the first ones, for a row that was not theirs to have.
    expect(await other).toBe(Code.Aborted)
    expect(codes.filter((code) => code === Code.Aborted)).toHaveLength(PLACES_MAX)
  })
  expect(await codeOf(bids.placeBid({ itemId, amount: 100n, userId: 'max' }))).toBe('ok')
})
