/**
 * Who may call what, with tokens: every procedure of every service, in every protocol, called by everybody who could try.
 * What each is to be told is written here by hand; the descriptors have to agree.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { startBid, migrationsDirectory as bidMigrations } from '@bidmesh/bid/bid-component.ts'
import {
  migrationsDirectory as statsMigrations,
  startStats,
} from '@bidmesh/stats/stats-component.ts'
import { startLive } from '@bidmesh/live/live-component.ts'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { CallersSchema, permission, RoleSchema } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { ErrorInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { checkTokens } from '@bidmesh/platform/identity/authenticator.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import {
  audience,
  type Claims,
  inSeconds,
  startTestIssuer,
  type TestIssuer,
} from '@bidmesh/platform/testing/test-issuer.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { create, type DescMethod, type DescService, getOption } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  Code,
  ConnectError,
  createClient,
  type Interceptor,
  type Transport,
} from '@connectrpc/connect'
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  headerBlock,
  openHttp2,
  requestHeaders,
} from '../attacks/raw-http2.ts'

/** Who may call, by procedure: `callers [roles] [caller_field]`. */
const table: Record<string, string> = {
  'bids.v1.BidService/PlaceBid': 'roles bidder user_id',
  'bids.v1.BidService/CreateItem': 'roles seller seller_id',
  'bids.v1.BidService/GetItem': 'public',
  'bids.v1.BidService/ListItems': 'public',
  'bids.v1.BidService/ListSellerItems': 'owner operator seller_id',
  'bids.v1.BidService/UpdateItem': 'item_owner operator user_id',
  'bids.v1.BidService/CancelItem': 'item_owner operator user_id',
  'bids.v1.BidService/ExtendItem': 'item_owner operator user_id',
  'bids.v1.BidService/EndItemNow': 'item_owner operator user_id',
  'bids.v1.BidService/GetItemBids': 'public',
  'bids.v1.BidService/ListUserBids': 'owner operator user_id',
  'bids.v1.BidService/ListItemEvents': 'public',
  'bids.v1.BidService/ListAuditEntries': 'roles operator',
  'bids.v1.BidService/StreamItems': 'internal',
  'bids.v1.ItemSourceService/BatchGetItems': 'internal',
  'bids.v1.ItemSourceService/BatchGetVersions': 'internal',
  'bids.v1.ItemSourceService/FindOpenItems': 'internal',
  'bids.v1.ItemSourceService/ListTopBids': 'internal',
  'bids.v1.ItemSourceService/SampleBids': 'internal',
  'userstats.v1.UserStatsService/GetUserStats': 'owner analyst user_id',
  'userstats.v1.UserStatsService/GetItemStats': 'public',
  'userstats.v1.UserStatsService/ListTopBidders': 'roles analyst',
  'userstats.v1.UserStatsService/GetMarketActivity': 'public',
  'live.v1.LiveService/WatchItem': 'public user_id',
  'live.v1.LiveService/WatchItems': 'public',
  'live.v1.LiveService/SendChatMessage': 'authenticated user_id',
  'live.v1.LiveService/ListChatMessages': 'public',
  'live.v1.LiveService/ListTopBids': 'public',
  'live.v1.LiveService/GetPriceHistory': 'public',
  'live.v1.LiveService/IssueStreamTicket': 'authenticated user_id',
}

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
  const bid = await startBid({ ...common, databaseUrl: bidDatabase.url, lanes: 1 })
  const stats = await startStats({ ...common, databaseUrl: statsDatabase.url })
  const bidService = callInProcess(bid, quietLog)
  const live = await startLive({ ...common, bidService, viewersMax: 50 })
  const components = [bid, stats, live]
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

function nameOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`
}

function declared(method: DescMethod): string {
  const { callers, roles, callerField } = getOption(method, permission)
  const callersName = CallersSchema.value[callers]?.localName.toLowerCase()
  const roleNames = roles.map((role) => RoleSchema.value[role]?.localName.toLowerCase())
  return [callersName, ...roleNames, ...(callerField ? [callerField] : [])].join(' ')
}

const json = { useBinaryFormat: false } as const
type Options = { baseUrl: string; interceptors: Interceptor[] }
const transports: Record<string, (options: Options) => Transport> = {
  // Live's own streams.
  'Connect JSON over HTTP/1.1': (options) =>
    createConnectTransport({ ...options, ...json, httpVersion: '1.1' }),
  'gRPC-Web over HTTP/1.1': (options) => createGrpcWebTransport({ ...options, httpVersion: '1.1' }),
  // The library's.
  'gRPC over h2c': (options) => createGrpcTransport({ ...options, idleConnectionTimeoutMs: 1_000 }),
  'Connect with a deadline': (options) =>
    createConnectTransport({ ...options, httpVersion: '1.1', defaultTimeoutMs: 30_000 }),
}

function transportOf(protocol: string, token: string | undefined): Transport {
  const showToken: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set('authorization', `Bearer ${token}`)
    return next(request)
  }
  const make = transports[protocol]
  if (!make) throw new Error(`no transport ${protocol}`)
  return make({ baseUrl: server.url, interceptors: [showToken] })
}

/** What a call comes to, as far as it is about who calls: `may`, or the code and the reason. */
async function call(transport: Transport, method: DescMethod, named: string): Promise<string> {
  const field = method.input.fields.find(
    ({ name }) => name === getOption(method, permission).callerField,
  )
  const request = create(method.input)
  if (field) Reflect.set(request, field.localName, named)
  const stop = new AbortController()
  try {
    if (method.methodKind === 'unary') {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as its kind says
      const unary = method as Parameters<Transport['unary']>[0]
      await transport.unary(unary, undefined, undefined, undefined, request)
    } else {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as its kind says
      const streaming = method as Parameters<Transport['stream']>[0]
      const requests = (async function* () {
        yield request
      })()
      const answer = await transport.stream(streaming, stop.signal, undefined, undefined, requests)
      for await (const _ of answer.message) break
    }
    return 'may'
  } catch (error) {
    return verdictOf(ConnectError.from(error))
  } finally {
    stop.abort()
  }
}

const identityReason = /^(?:TOKEN_|TICKET_|ROLE_MISSING$|OTHER_USER$|INTERNAL_ONLY$)/

function verdictOf(error: ConnectError): string {
  const [info] = error.findDetails(ErrorInfoSchema)
  const isAboutRequest = error.code === Code.InvalidArgument || error.code === Code.NotFound
  // It got as far as what was asked.
  if (isAboutRequest && !identityReason.test(info?.reason ?? '')) return 'may'
  return `${Code[error.code]} ${info?.reason ?? error.rawMessage}`
}

type Caller = {
  token: () => string | Promise<string> | undefined
  /** Undefined: of somebody whose token is believed; otherwise what everybody is told who shows it. */
  told?: string
  /** '' for nobody in particular. */
  named: string
  roles: readonly string[]
}

const good = (roles: readonly string[], named = ''): Caller => ({
  token: () => issuer.token({ sub: 'ann', roles }),
  named,
  roles,
})
const bad = (
  token: (claims: Claims) => string | Promise<string>,
  claims = {},
  told = 'INVALID',
) => ({
  token: () => token({ sub: 'ann', roles: ['bidder', 'operator', 'service'], ...claims }),
  told: `Unauthenticated TOKEN_${told}`,
  named: '',
  roles: [],
})

const everybody: Record<string, Caller> = {
  nobody: { token: () => undefined, named: '', roles: [] },
  'nobody who says who they are': { token: () => undefined, named: 'ann', roles: [] },
  'an expired token': bad((claims) => issuer.token(claims), { exp: inSeconds(-60) }, 'EXPIRED'),
  'wrong audience': bad((claims) => issuer.token(claims), { aud: 'other' }),
  'wrong issuer': bad((claims) => issuer.token(claims), { iss: 'https://evil.example' }),
  'alg none': bad((claims) => issuer.unsignedToken(claims)),
  'HS256 with the public key': bad((claims) => issuer.tokenBySecret(claims)),
  'a stranger’s signature': bad((claims) => issuer.tokenOfStranger(claims)),
  'a user without roles': good([]),
  bidder: good(['bidder']),
  'bidder who says so': good(['bidder'], 'ann'),
  'bidder as another user': good(['bidder'], 'bert'),
  seller: good(['seller']),
  'seller as another user': good(['seller'], 'bert'),
  analyst: good(['analyst']),
  'analyst of another user': good(['analyst'], 'bert'),
  operator: good(['operator']),
  'operator of another user': good(['operator'], 'bert'),
  'another service': good(['service']),
  'another service as a user': good(['service'], 'bert'),
}

/** By the table alone. */
function expected(rule: string, { told, named, roles, token }: Caller): string {
  const [callers = '', ...rest] = rule.split(' ')
  const field = rest.find((word) => word.endsWith('_id'))
  const needed = rest.filter((word) => word !== field)
  const hasRole = needed.some((role) => roles.includes(role))
  const isNobody = token() === undefined
  if (told !== undefined) return told
  if (isNobody && (callers !== 'public' || (field !== undefined && named !== '')))
    return 'Unauthenticated TOKEN_MISSING'
  if (callers === 'internal' && !roles.includes('service')) return 'PermissionDenied INTERNAL_ONLY'
  if (callers === 'roles' && !hasRole) return 'PermissionDenied ROLE_MISSING'
  const isOther = field !== undefined && named !== '' && named !== 'ann'
  return isOther && !(callers === 'owner' && hasRole) ? 'PermissionDenied OTHER_USER' : 'may'
}

it('every procedure says who may call it, and it is what stands here', () => {
  const methods = services.flatMap((service) => service.methods)
  expect(Object.fromEntries(methods.map((method) => [nameOf(method), declared(method)]))).toEqual(
    table,
  )
})

describe.each(Object.keys(transports))('by %s', (protocol) => {
  it.each(Object.keys(everybody))('%s', async (name) => {
    const caller = everybody[name]
    if (!caller) throw new Error('nobody')
    const transport = transportOf(protocol, await caller.token())
    const methods = services.flatMap((service) => service.methods)
    const verdicts = await Promise.all(
      methods.map(async (method) => [nameOf(method), await call(transport, method, caller.named)]),
    )
    const wanted = Object.entries(table).map(([procedure, rule]) => [
      procedure,
      expected(rule, caller),
    ])
    expect(Object.fromEntries(verdicts)).toEqual(Object.fromEntries(wanted))
  })
})

const clients = async (claims: Claims) => {
  const transport = transportOf('Connect JSON over HTTP/1.1', await issuer.token(claims))
  return { bids: createClient(BidService, transport), live: createClient(LiveService, transport) }
}

async function putItem(sellerId: string) {
  const { bids } = await clients({ sub: sellerId, roles: ['seller'] })
  const endAt = timestampFromMs(Date.now() + 3_600_000)
  const { item } = await bids.createItem({ title: 'Lamp', startPrice: 100n, endAt })
  expect(item?.sellerId).toBe(sellerId)
  return item?.id ?? ''
}

const failureOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 'it worked',
    (error: unknown) => {
      const { code, rawMessage } = ConnectError.from(error)
      return `${Code[code]}: ${rawMessage}`
    },
  )

describe('what is whose', () => {
  it('a bid is of the token’s subject, without a word of it in the request', async () => {
    const itemId = await putItem('sam')
    const { bids } = await clients({ sub: 'ann', roles: ['bidder'] })
    const { bid } = await bids.placeBid({ itemId, amount: 100n })
    expect(bid?.userId).toBe('ann')
    const { bids: mine } = await bids.listUserBids({})
    expect(mine.map(({ itemId: id }) => id)).toContain(itemId)
  })

  it('an item is its seller’s, and an operator’s', async () => {
    const itemId = await putItem('sam')
    const bert = await clients({ sub: 'bert', roles: ['seller', 'bidder'] })
    expect(await failureOf(bert.bids.cancelItem({ id: itemId }))).toBe(
      'PermissionDenied: only the seller may change this item',
    )
    const sam = await clients({ sub: 'sam' })
    await sam.bids.updateItem({ id: itemId, title: 'Lamps' })
    const olga = await clients({ sub: 'olga', roles: ['operator'] })
    const { item } = await olga.bids.cancelItem({ id: itemId, reason: 'stolen' })
    expect(item?.cancelReason).toBe('stolen')
  })
})

describe('the header', () => {
  const ask = async (
    headers: Record<string, string>,
    procedure = 'bids.v1.BidService/PlaceBid',
  ) => {
    const response = await fetch(`${server.url}/${procedure}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ item_id: randomUUID(), amount: '1' }),
    })
    return { status: response.status, challenge: response.headers.get('www-authenticate') }
  }

  it('is asked for in the words of HTTP', async () => {
    expect(await ask({})).toEqual({ status: 401, challenge: 'Bearer' })
    const authorization = `Bearer ${await issuer.token({ sub: 'ann', exp: inSeconds(-9) })}`
    expect(await ask({ authorization })).toEqual({
      status: 401,
      challenge: 'Bearer error="invalid_token", error_description="token expired"',
    })
  })

  it('may say bearer in lower case, and no bytes of garbage', async () => {
    const token = await issuer.token({ sub: 'ann', roles: ['bidder'] })
    expect((await ask({ authorization: `bearer ${token}` })).status).toBe(404)
    for (const garbage of ['\xff\xfe\x80', 'Bearer \xe2\x82.\xac.\xff', 'x'.repeat(12_000)])
      expect((await ask({ authorization: garbage })).status).toBe(401)
  })

  it('that comes twice is none, whichever of the two is good', async () => {
    const token = await issuer.token({ sub: 'ann', roles: ['bidder'] })
    const path = '/bids.v1.BidService/PlaceBid'
    for (const both of [
      [`Bearer ${token}`, 'Bearer x'],
      ['Bearer x', `Bearer ${token}`],
      [`Bearer ${token}`, `Bearer ${token}`],
    ]) {
      expect(await answerOverHttp2(path, [`Bearer ${token}`])).toContain('item_id')
      const headers = ['content-type', 'application/json', 'content-length', '2']
      for (const each of both) headers.push('authorization', each)
      expect(await statusOverHttp1(path, headers)).toBe(401)
      expect(await answerOverHttp2(path, both)).toContain('TOKEN_INVALID')
    }
  })

  it('of a megabyte is none of ours to read, and harms nobody', async () => {
    const token = await issuer.token({ sub: 'ann', roles: ['bidder'] })
    await ask({ authorization: `Bearer ${'x'.repeat(1024 * 1024)}` }).then(
      ({ status }) => expect(status).toBe(431),
      // Or the connection is cut while it is still being sent.
      (error: unknown) => expect(error).toBeInstanceOf(TypeError),
    )
    expect((await ask({ authorization: `Bearer ${token}` })).status).toBe(404)
  })

  it('is not looked at by health, reflection and the pages of operators', async () => {
    const authorization = 'Bearer nonsense'
    for (const page of ['healthz', 'readyz', 'metrics', ''])
      expect((await fetch(`${server.url}/${page}`, { headers: { authorization } })).status).toBe(
        200,
      )
    const health = await fetch(`${server.url}/grpc.health.v1.Health/Check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: '{}',
    })
    expect(await health.json()).toEqual({ status: 'SERVING' })
  })
})

/** Headers as they are, also the same one twice. */
async function statusOverHttp1(path: string, headers: string[]): Promise<number | undefined> {
  const { hostname, port } = new URL(server.url)
  const request = httpRequest({
    hostname,
    port,
    path,
    method: 'POST',
    headers: ['host', 'test', ...headers],
  })
  request.end('{}')
  const [response]: IncomingMessage[] = await once(request, 'response')
  response?.resume()
  return response?.statusCode
}

/** The same by hand: no client of HTTP/2 sends it. Returns what comes back, until the stream has its end. */
async function answerOverHttp2(path: string, authorizations: string[]): Promise<string> {
  const { hostname: host, port } = new URL(server.url)
  const { socket } = openHttp2({ host, port: Number(port) })
  const fields = [requestHeaders(path, 'application/json')]
  for (const authorization of authorizations) fields.push({ authorization })
  const head = frame('headers', END_HEADERS, 1, Buffer.concat(fields.map(headerBlock)))
  socket.write(Buffer.concat([head, frame('data', END_STREAM, 1, Buffer.from('{}'))]))
  let answer = ''
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')))
  await eventually(() => expect(answer).toContain('}\n'))
  socket.destroy()
  return answer
}

async function textOf(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(server.url + path, { headers, signal: AbortSignal.timeout(10_000) })
  return { status: response.status, text: response.status === 200 ? '' : await response.text() }
}

describe('a stream', () => {
  it.each(Object.keys(transports))('ends with its token, by %s', async (protocol) => {
    const itemId = await putItem('sam')
    const token = await issuer.token({ sub: 'ann', exp: inSeconds(2) })
    const live = createClient(LiveService, transportOf(protocol, token))
    let count = 0
    const reading = (async () => {
      for await (const _ of live.watchItem({ itemId })) count += 1
    })()
    expect(await failureOf(reading)).toBe('Unauthenticated: token expired: get a new one')
    expect(count).toBeGreaterThan(0)
  })

  it('of server-sent events says why it ends', async () => {
    const itemId = await putItem('sam')
    const authorization = `Bearer ${await issuer.token({ sub: 'ann', exp: inSeconds(2) })}`
    const response = await fetch(`${server.url}/live/items/${itemId}`, {
      headers: { authorization },
    })
    expect(await response.text()).toMatch(/"snapshot"[^]*\n: token expired: get a new one\n\n$/)
  })

  it('of a browser is had by a ticket, once, and by no token in an address', async () => {
    const itemId = await putItem('sam')
    const ann = await clients({ sub: 'ann', roles: ['bidder'], exp: inSeconds(20) })
    await ann.bids.placeBid({ itemId, amount: 100n })
    const { ticket } = await ann.live.issueStreamTicket({})
    const page = `/live/items/${itemId}`
    const stop = new AbortController()
    const response = await fetch(`${server.url}${page}?ticket=${ticket}`, { signal: stop.signal })
    const first = await response.body?.pipeThrough(new TextDecoderStream()).getReader().read()
    stop.abort()
    expect(response.status).toBe(200)
    expect(first?.value).toContain('retry:')
    for (const wrong of [ticket, '', 'x'.repeat(5_000), '%00'])
      expect(await textOf(`${page}?ticket=${wrong}`)).toEqual({
        status: 401,
        text: expect.stringContaining('TICKET_INVALID'),
      })
    const token = await issuer.token({ sub: 'ann' })
    for (const name of ['token', 'access_token', 'authorization', 'jwt'])
      expect((await textOf(`${page}?user_id=ann&${name}=${token}`)).status).toBe(401)
    const other = await ann.live.issueStreamTicket({})
    expect((await textOf(`${page}?user_id=bert&ticket=${other.ticket}`)).status).toBe(403)
  })

  it('that shows a bad header is none, whatever its ticket', async () => {
    const ann = await clients({ sub: 'ann' })
    const { ticket } = await ann.live.issueStreamTicket({})
    const path = `/live/items/${await putItem('sam')}?ticket=${ticket}`
    expect((await textOf(path, { authorization: 'Bearer x.y.z' })).status).toBe(401)
  })
})
