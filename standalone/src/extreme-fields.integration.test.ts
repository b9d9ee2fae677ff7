/**
 * Every field of every request at values nobody would expect, on the real services: an answer or a rejection of
 * the caller's mistake, never a failure of ours, and a rejection says what is wanted.
 */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'
import { reflect, type ReflectList } from '@bufbuild/protobuf/reflect'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { trustEverybody } from '@bidmesh/platform/identity/authenticator.ts'
import { startBid } from '@bidmesh/bid/bid-component.ts'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { UserStatsService } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { startLive } from '@bidmesh/live/live-component.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { type Server, startServer } from '@bidmesh/platform/server/server.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import { startStats } from '@bidmesh/stats/stats-component.ts'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, it } from 'vitest'

const services = [BidService, UserStatsService, LiveService]
const databases: TestDatabase[] = []
const lines: string[] = []
let server: Server
let itemId: string

beforeAll(async () => {
  const destination = { write: (line: string) => lines.push(line) }
  const log = createLog({ name: 'test', level: 'warn', destination })
  for (let count = 0; count < 2; count += 1) databases.push(await createTestDatabase())
  const [bidUrl = '', statsUrl = ''] = databases.map(({ url }) => url)
  const broker = createMemoryBroker({ log })
  const common = { redisUrl: undefined, log, signal: new AbortController().signal }
  const bid = await startBid({ ...common, databaseUrl: bidUrl, lanes: 1 })
  const components = [
    await startStats({ ...common, databaseUrl: statsUrl, broker }),
    bid,
    await startLive({
      ...common,
      bidService: callInProcess(bid, log),
      broker,
      viewersMax: 100,
    }),
  ]
  server = await startServer({
    authenticator: trustEverybody,
    host: '127.0.0.1',
    port: 0,
    components,
    log,
    metricsText: async () => '',
  })
  const stop = server.stop
  server.stop = async () => {
    await stop()
    for (const component of components.toReversed()) await component.stop()
    await broker.close()
  }
  const bids = createClient(BidService, transport())
  const { item } = await bids.createItem({ ...usual, sellerId: 'sal' })
  itemId = item?.id ?? ''
})

afterAll(async () => {
  await server.stop()
  for (const database of databases) await database.drop()
})

/** Binary, because it can say what JSON cannot. */
function transport() {
  return createConnectTransport({ baseUrl: server.url, httpVersion: '1.1', useBinaryFormat: true })
}

/** Values that make requests good, by the names of fields. */
const usual = {
  userId: 'ann',
  title: 'Lamp',
  text: 'hello',
  amount: 1n,
  startPrice: 1n,
  endAt: timestampFromMs(Date.now() + 3_600_000),
}

const texts = [
  '',
  ' ',
  '\0',
  '\u200b',
  'a\u202eb',
  'x'.repeat(20_000),
  '😀'.repeat(600),
  "'; --",
  '{}',
  '-1',
  '0',
]
const int32s = [-(2 ** 31), -1, 0, 1, 2, 100, 101, 1_000, 1_001, 2 ** 31 - 1]
const int64s = [
  -(2n ** 63n),
  -1n,
  0n,
  1n,
  10n ** 15n,
  10n ** 15n + 1n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
]

function extremesOf(scalar: ScalarType): readonly unknown[] {
  if (scalar === ScalarType.STRING) return texts
  if (scalar === ScalarType.BOOL) return [false, true]
  if (scalar === ScalarType.INT32) return int32s
  if (scalar === ScalarType.INT64) return int64s
  throw new Error(`no extremes for ${ScalarType[scalar]}`)
}

type Extreme = { where: string; request: Message }

/** Messages that are good but for one field, which has one extreme. */
function* extremes(schema: DescMessage, name: string): Generator<Extreme> {
  for (const field of schema.fields) {
    for (const { value, what } of valuesOf(field)) {
      const request = reflect(schema, goodRequest(schema))
      request.set(field, value)
      yield { where: `${name}.${field.name} = ${what}`, request: request.message }
    }
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value)
}

function goodRequest(schema: DescMessage): Message {
  const ids = { id: itemId, itemId }
  const own = Object.entries({ ...usual, sellerId: 'sal', ...ids }).filter(([name]) =>
    schema.fields.some(({ localName }) => localName === name),
  )
  return create(schema, Object.fromEntries(own))
}

function* valuesOf(field: DescField): Generator<{ value: unknown; what: string }> {
  if (field.fieldKind === 'scalar') {
    for (const value of extremesOf(field.scalar)) yield { value, what: shown(value) }
  } else if (field.fieldKind === 'enum') {
    for (const value of int32s) yield { value, what: shown(value) }
  } else if (field.fieldKind === 'message') {
    for (const { where, request } of extremes(field.message, '')) {
      yield { value: reflect(field.message, request), what: where }
    }
  } else if (field.fieldKind === 'list' && field.listKind === 'scalar') {
    for (const value of extremesOf(field.scalar)) {
      yield { value: listOf(field, [value]), what: `[${shown(value)}]` }
    }
    yield { value: listOf(field, Array<string>(600).fill(itemId)), what: '600 ids' }
  }
}

function listOf(field: DescField & { fieldKind: 'list' }, values: readonly unknown[]): ReflectList {
  const list = reflect(field.parent).get(field)
  for (const value of values) list.add(value)
  return list
}

/** The code of a call and what it says; '' for an answer. */
async function outcome(call: () => Promise<unknown>): Promise<{ code?: Code; message: string }> {
  try {
    await call()
    return { message: '' }
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error)
    return { code, message: rawMessage }
  }
}

const expected = new Set<Code | undefined>([
  undefined,
  Code.InvalidArgument,
  Code.NotFound,
  Code.FailedPrecondition,
  Code.PermissionDenied,
  Code.AlreadyExists,
  Code.ResourceExhausted,
])
/** Of a stream the first message is enough. */
const PATIENCE_MS = 10_000

async function ask(service: (typeof services)[number], method: string, request: Message) {
  const client: Record<string, (request: Message, options: object) => unknown> = createClient(
    service,
    transport(),
  )
  const left = new AbortController()
  const limit = setTimeout(() => left.abort(new Error('no answer')), PATIENCE_MS)
  try {
    const answer = client[method]?.(request, { signal: left.signal })
    if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer) {
      for await (const _ of answer as AsyncIterable<unknown>) break
    } else await answer
  } finally {
    clearTimeout(limit)
  }
}

const wordless = /regex|pattern|\\[xpu]|\[\^|this\.|returned false|^.{0,10}$/

it('no field at its extremes is a failure of ours, and rejections say what is wanted', async () => {
  let answered = 0
  let refused = 0
  const wrong: string[] = []
  for (const service of services) {
    for (const method of service.methods) {
      for (const { where, request } of extremes(method.input, method.name)) {
        const { code, message } = await outcome(() => ask(service, method.localName, request))
        if (code === undefined) answered += 1
        if (code === Code.InvalidArgument) refused += 1
        const inWords = code !== Code.InvalidArgument || !wordless.test(message)
        if (!expected.has(code) || !inWords) wrong.push(`${where}: ${Code[code ?? 0]} ${message}`)
      }
    }
  }
  expect(wrong).toEqual([])
  expect(answered).toBeGreaterThan(100)
  expect(refused).toBeGreaterThan(200)
  expect(lines).toEqual([])
}, 120_000)
