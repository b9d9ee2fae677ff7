/**
 * With tokens nobody learns who else bids: whatever servers send is searched for the ids of bidders, byte by byte, in every
 * procedure and stream that answers, for everybody who can ask.
 */
import { randomBytes } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import {
  startAuctioneerComponent,
  startBid,
  migrationsDirectory as bidMigrations,
} from '@bidmesh/bid/bid-component.ts'
import {
  startStats,
  migrationsDirectory as statsMigrations,
} from '@bidmesh/stats/stats-component.ts'
import { startLive } from '@bidmesh/live/live-component.ts'
import { startRelayComponent } from '@bidmesh/outbox-worker/relay-component.ts'
import { permission, Callers } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { BidService, ItemView } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { file_events_v1_events } from '@bidmesh/gen/events/v1/events_pb.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { checkTokens } from '@bidmesh/platform/identity/authenticator.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import {
  audience,
  startTestIssuer,
  type TestIssuer,
} from '@bidmesh/platform/testing/test-issuer.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import {
  create,
  createRegistry,
  type DescMethod,
  type DescService,
  getOption,
} from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { createClient, type Interceptor, type Transport } from '@connectrpc/connect'
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'

/** Ids that stand in nothing else. */
const idOf = (name: string) => `b1dder-${name}-${randomBytes(6).toString('hex')}`
const [zed, sam] = [idOf('zed'), idOf('sam')]

let issuer: TestIssuer
let server: Server
let services: readonly DescService[]
const undo: (() => unknown)[] = []

beforeAll(async () => {
  issuer = await startTestIssuer()
  const [bidDatabase, statsDatabase] = await Promise.all([
    createTestDatabase(bidMigrations),
    createTestDatabase(statsMigrations),
  ])
  const broker = createMemoryBroker({ log: quietLog })
  const { signal } = new AbortController()
  const common = { redisUrl: inject('redisUrl'), broker, log: quietLog, signal }
  const stats = await startStats({ ...common, databaseUrl: statsDatabase.url })
  const bid = await startBid({ ...common, databaseUrl: bidDatabase.url, lanes: 1 })
  const live = await startLive({
    ...common,
    bidService: callInProcess(bid, quietLog),
    viewersMax: 100,
  })
  const auctioneer = await startAuctioneerComponent({ ...common, databaseUrl: bidDatabase.url })
  const relay = await startRelayComponent({ ...common, databaseUrl: bidDatabase.url })
  const components = [stats, bid, live, auctioneer, relay]
  services = components.flatMap((component) => component.services)
  const tokens = checkTokens({
    issuer: issuer.url,
    audiences: [audience],
    rolesClaim: 'roles',
    algorithms: ['RS256'],
    leewaySeconds: 0,
    log: quietLog,
  })
  server = await startTestServer(components, tokens)
  undo.push(server.stop, tokens.stop, issuer.stop, broker.close)
  undo.push(bidDatabase.drop, statsDatabase.drop)
})

afterAll(async () => {
  for (const step of undo) await step()
})

/** A way to the server that keeps what comes back. */
async function tap() {
  let bytes = ''
  const relay = createServer((near) => {
    const far = connect(server.port, '127.0.0.1')
    far.on('data', (chunk) => (bytes += chunk.toString('latin1')))
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) socket.on('error', () => near.destroy())
  })
  await once(relay.listen(0, '127.0.0.1'), 'listening')
  const address = relay.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  undo.unshift(() => relay.close())
  return { url: `http://127.0.0.1:${address.port}`, bytes: () => bytes }
}

const transports: Record<string, (baseUrl: string, interceptors: Interceptor[]) => Transport> = {
  'Connect JSON': (baseUrl, interceptors) =>
    createConnectTransport({
      baseUrl,
      interceptors,
      httpVersion: '1.1',
      useBinaryFormat: false,
      acceptCompression: [],
      jsonOptions: { registry: createRegistry(file_events_v1_events) },
    }),
  'gRPC-Web': (baseUrl, interceptors) =>
    createGrpcWebTransport({ baseUrl, interceptors, httpVersion: '1.1', acceptCompression: [] }),
  gRPC: (baseUrl, interceptors) =>
    createGrpcTransport({
      baseUrl,
      interceptors,
      acceptCompression: [],
      idleConnectionTimeoutMs: 1_000,
    }),
}

type Who = { sub?: string; roles?: string[] }

async function as(
  { sub, roles = ['bidder', 'seller'] }: Who,
  url = server.url,
  protocol = 'Connect JSON',
) {
  const token = sub && (await issuer.token({ sub, roles }))
  const transport = transports[protocol]?.(url, [
    (next) => (request) => {
      if (token) request.header.set('authorization', `Bearer ${token}`)
      return next(request)
    },
  ])
  if (!transport) throw new Error(`no transport ${protocol}`)
  return {
    transport,
    token,
    bids: createClient(BidService, transport),
    live: createClient(LiveService, transport),
  }
}

/** All that may be asked, and answers with something: by the descriptors, so that nothing new is forgotten. */
function questions(): DescMethod[] {
  return services
    .flatMap((service) => service.methods)
    .filter((method) => {
      const { callers, callerField } = getOption(method, permission)
      const isRead = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
      const isForAll = callers === Callers.PUBLIC
      return isRead && isForAll && callerField === '' && method.methodKind === 'unary'
    })
}

async function askAll(transport: Transport, itemId: string): Promise<void> {
  for (const method of questions()) {
    const request = create(method.input)
    for (const field of ['itemId', 'id']) if (field in request) Reflect.set(request, field, itemId)
    if ('view' in request) Reflect.set(request, 'view', ItemView.FULL)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as its kind says
    const unary = method as Parameters<Transport['unary']>[0]
    await transport.unary(unary, undefined, undefined, undefined, request).catch(() => undefined)
  }
}

type Bidders = { ann: string; ben: string }

const readersOf = ({
  ann,
  ben,
}: Bidders): Record<string, Who & { sees: string[]; seesWinner?: boolean }> => ({
  nobody: { sees: [] },
  'another bidder': { sub: zed, sees: [] },
  'an analyst': { sub: 'ana', roles: ['analyst'], sees: [] },
  'a bidder of the item': { sub: ben, sees: [ben] },
  'the seller': { sub: sam, sees: [], seesWinner: true },
  'an operator': { sub: 'olga', roles: ['operator'], sees: [ann, ben] },
})

async function startAuction({ ann, ben }: Bidders) {
  const seller = await as({ sub: sam })
  const endAt = timestampFromMs(Date.now() + 3_600_000)
  const { item } = await seller.bids.createItem({ title: 'Lamp', startPrice: 100n, endAt })
  const itemId = item?.id ?? ''
  const [annsCalls, bensCalls] = [await as({ sub: ann }), await as({ sub: ben })]
  await annsCalls.bids.placeBid({ itemId, amount: 100n })
  await bensCalls.bids.placeBid({ itemId, amount: 300n })
  await annsCalls.live.sendChatMessage({ itemId, text: 'what a lamp' })
  return { itemId, seller, annsCalls, bensCalls }
}

it('asks what there is to ask', () => {
  const names = questions().map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining(['GetItem', 'ListItems', 'GetItemBids', 'ListItemEvents']),
  )
  expect(names).toEqual(expect.arrayContaining(['GetItemStats', 'ListTopBids', 'ListChatMessages']))
})

it.each(Object.keys(transports))('no foreign id comes over %s', async (protocol) => {
  // Others than before: the seller knows who has won from him.
  const bidders = { ann: idOf('ann'), ben: idOf('ben') }
  const { ann, ben } = bidders
  const { itemId, seller, annsCalls, bensCalls } = await startAuction(bidders)
  const taps = await Promise.all(
    Object.entries(readersOf(bidders)).map(async ([name, who]) => {
      const { url, bytes } = await tap()
      return { name, who, url, bytes, calls: await as(who, url, protocol) }
    }),
  )
  const leave = new AbortController()
  const { signal } = leave
  let joined = 0
  let told = 0
  for (const { calls, url } of taps) {
    void (async () => {
      for await (const { event } of calls.live.watchItem({ itemId }, { signal })) {
        if (event.case === 'snapshot') joined += 1
        if (event.case === 'ended') told += 1
      }
    })().catch(() => undefined)
    void (async () => {
      for await (const { updates } of calls.live.watchItems({}, { signal }))
        if (updates.length > 0) joined += 1
    })().catch(() => undefined)
    const headers = calls.token ? { authorization: `Bearer ${calls.token}` } : {}
    void fetch(`${url}/live/items/${itemId}`, { headers, signal })
      .then((page) => page.text())
      .catch(() => undefined)
  }
  await eventually(() => expect(joined).toBeGreaterThanOrEqual(2 * taps.length))
  for (const { calls } of taps) await askAll(calls.transport, itemId)
  await annsCalls.bids.placeBid({ itemId, amount: 500n })
  await bensCalls.bids.placeBid({ itemId, amount: 700n })
  await bensCalls.live.sendChatMessage({ itemId, text: 'mine now' })
  await annsCalls.bids.placeBid({ itemId, amount: 900n })
  for (const { calls } of taps) await askAll(calls.transport, itemId)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const before = new Map(taps.map(({ name, bytes }) => [name, bytes()]))

  await seller.bids.endItemNow({ itemId })
  await eventually(() => expect(told).toBe(taps.length))
  for (const { calls } of taps) await askAll(calls.transport, itemId)
  // A snapshot of what has ended.
  for (const { calls } of taps)
    for await (const { event } of calls.live.watchItem({ itemId })) if (event.case) break
  leave.abort()

  for (const { name, who, bytes } of taps) {
    const [early, all] = [before.get(name) ?? '', bytes()]
    const found = (text: string) => [ann, ben].filter((id) => text.includes(id))
    expect([name, found(early)]).toEqual([name, who.sees])
    const sees = who.seesWinner ? [ann] : who.sees
    expect([name, found(all)]).toEqual([name, sees])
    // It has come to something: sellers are known to all.
    expect(all).toContain(sam)
  }
})
