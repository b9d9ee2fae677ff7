/**
 * The port as clients meet it: every protocol, every kind of bad request, readiness, and a stop that
 * answers what it has accepted. Services are real generated ones with handlers made up here.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { Agent, request as httpRequest } from 'node:http'
import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { create } from '@bufbuild/protobuf'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import type { ServiceImpl } from '@connectrpc/connect'
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node'
import { trustEverybody } from '../identity/authenticator.ts'
import { BidService, PlaceBidResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { RetryInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '@bidmesh/gen/grpc/health/v1/health_pb.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { OverloadedError, TransientError } from '../process/errors.ts'
import { createLog } from '../process/log.ts'
import type { Component } from '../process/component.ts'
import { PortInUseError, startServer } from './server.ts'
import type { Server, ServerOptions } from './server.ts'

const root = join(import.meta.dirname, '../../../..')
const itemId = '0193a1b2-0000-7000-8000-000000000001'
const goodBid = { itemId, amount: 100n, userId: 'anna' }
const goodJson = { item_id: itemId, amount: '100', user_id: 'anna' }
const procedure = '/bids.v1.BidService/PlaceBid'

const cleanups: (() => Promise<unknown> | undefined)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

type Setup = Partial<ServerOptions> & {
  placeBid?: ServiceImpl<typeof BidService>['placeBid']
  check?: () => Promise<void>
}

async function start({ placeBid, check, ...options }: Setup = {}) {
  const lines: string[] = []
  const component: Component = {
    name: 'bid',
    services: [BidService],
    routes: (router) => {
      const answer = () => create(PlaceBidResponseSchema, { minimumNextBid: 105n })
      router.service(BidService, { placeBid: placeBid ?? answer })
    },
    check: check ?? (async () => undefined),
    stop: async () => undefined,
  }
  const log = createLog({
    name: 'test',
    level: 'debug',
    destination: { write: (line) => lines.push(line) },
  })
  const server = await startServer({
    authenticator: trustEverybody,
    host: '127.0.0.1',
    port: 0,
    components: [component],
    log,
    metricsText: async () => '# metrics\n',
    ...options,
  })
  cleanups.push(() => server.stop())
  return { server, lines }
}

function post(server: Server, body: unknown, path = procedure, headers = {}): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

/** A socket, what came back on it so far, and its end. */
function raw(server: Server) {
  const socket = connectTcp({ port: server.port, host: '127.0.0.1' })
  cleanups.push(async () => socket.destroy())
  let received = ''
  socket.on('data', (chunk) => (received += chunk.toString('latin1')))
  const closed = once(socket, 'close').then(() => received)
  return { socket, closed, received: () => received }
}

async function overHttp2(server: Server, request: OutgoingHttpHeaders) {
  const session = connectHttp2(server.url)
  const stream = session.request(request)
  const headers = await new Promise<IncomingHttpHeaders>((resolve) =>
    stream.end().once('response', resolve),
  )
  const body = await text(stream)
  session.close()
  return { headers, body }
}

async function until(condition: () => boolean, socket: Socket): Promise<void> {
  while (!condition()) await once(socket, 'data')
}

describe('protocols on one port', () => {
  const transports = {
    'Connect over HTTP/1.1': (baseUrl: string) =>
      createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true }),
    'Connect JSON over HTTP/1.1': (baseUrl: string) =>
      createConnectTransport({ baseUrl, httpVersion: '1.1' }),
    'Connect over h2c': (baseUrl: string) =>
      createConnectTransport({ baseUrl, httpVersion: '2', idleConnectionTimeoutMs: 10 }),
    'gRPC-Web over HTTP/1.1': (baseUrl: string) =>
      createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
    'gRPC over h2c': (baseUrl: string) =>
      createGrpcTransport({ baseUrl, idleConnectionTimeoutMs: 10 }),
  }
  for (const [name, transport] of Object.entries(transports)) {
    test(`${name}: answers, and refuses by the rules of the proto`, async () => {
      const { server } = await start()
      const client = createClient(BidService, transport(server.url))
      expect((await client.placeBid(goodBid)).minimumNextBid).toBe(105n)
      const refused = client.placeBid({ ...goodBid, amount: -1n })
      await expect(refused).rejects.toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringMatching(/^amount: .*greater than or equal to 1/),
      })
    })
  }

  test('plain JSON takes both spellings of a field and writes int64 as a string', async () => {
    const { server } = await start()
    for (const body of [goodJson, { itemId, amount: 100, userId: 'anna' }]) {
      const response = await post(server, body)
      const answer = { minimumNextBid: '105', currentHighestBid: '0', extended: false }
      expect([response.status, await response.json()]).toEqual([200, answer])
    }
  })

  test('the first bytes decide, one by one or all at once, and wait for what is still missing', async () => {
    const { server } = await start()
    const { socket, closed } = raw(server)
    for (const byte of 'P') socket.write(byte)
    // Another client is served while the first one has not said yet what it speaks.
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    socket.write('R')
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    socket.write('OPFIND / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    expect(await closed).toMatch(/^HTTP\/1.1 405/)
  })

  test('an h2 preface that comes in two pieces is still h2', async () => {
    const { server } = await start()
    const { socket, received } = raw(server)
    await once(socket, 'connect')
    socket.write('PR')
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    socket.write('I * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
    await until(() => received().length >= 9, socket)
    expect(received()[3]).toBe('\x04') // a SETTINGS frame
  })

  test('a client that leaves without a word, or in the middle of one, is forgotten', async () => {
    const { server } = await start()
    for (const words of ['', 'P', 'PRI', 'PRI * HTTP/2.0\r\n\r\nSM', 'POST /x HTTP/1.1\r\nho']) {
      const { socket, closed } = raw(server)
      socket.end(words)
      await closed
    }
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  })
})

describe('bad requests get typed errors', () => {
  const cases: [name: string, body: unknown, status: number, answer: object][] = [
    ['bad JSON', '{"item_id":', 400, { code: 'invalid_argument' }],
    ['not an object', '[]', 400, { code: 'invalid_argument' }],
    [
      'unknown field',
      { ...goodJson, amuont: 1 },
      400,
      { code: 'invalid_argument', message: expect.stringContaining('"amuont"') },
    ],
    [
      'beyond int64',
      { ...goodJson, amount: '9223372036854775808' },
      400,
      { code: 'invalid_argument', message: expect.stringContaining('amount') },
    ],
    [
      'missing id',
      { ...goodJson, item_id: undefined },
      400,
      { code: 'invalid_argument', message: expect.stringContaining('item_id: ') },
    ],
    [
      '64 KiB and one byte',
      JSON.stringify({ ...goodJson, user_id: 'x' }).padEnd(64 * 1024 + 1),
      413,
      { code: 'resource_exhausted' },
    ],
  ]
  for (const [name, body, status, answer] of cases) {
    test(name, async () => {
      const { server } = await start()
      const response = await post(server, body)
      expect(await response.json()).toMatchObject(answer)
      expect(response.status).toBe(status)
    })
  }

  test('a body of exactly 64 KiB is taken', async () => {
    const { server } = await start()
    const response = await post(server, JSON.stringify(goodJson).padEnd(64 * 1024))
    expect(response.status).toBe(200)
  })

  test('a client that writes on and on hears the reason all the same', async () => {
    const { server } = await start()
    const response = await post(server, 'x'.repeat(10_000_000))
    expect([response.status, await response.json()]).toMatchObject([
      413,
      { code: 'resource_exhausted' },
    ])
  })

  test('an oversized gRPC message is RESOURCE_EXHAUSTED', async () => {
    const { server, lines } = await start()
    const transport = createGrpcTransport({ baseUrl: server.url, idleConnectionTimeoutMs: 10 })
    const call = createClient(BidService, transport).placeBid({
      ...goodBid,
      userId: 'x'.repeat(70_000),
    })
    await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted })
    // The rest of the message was never read: the stream must not stay open for it.
    await server.stop()
    expect(lines.join('')).not.toContain('still in hand')
  })

  test('unknown procedures, pages and methods', async () => {
    const { server } = await start()
    const unknown = await post(server, {}, '/bids.v1.BidService/Nope')
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'unimplemented' }])
    const nowhere = await fetch(`${server.url}/nowhere`)
    expect([nowhere.status, await nowhere.json()]).toMatchObject([404, { code: 'not_found' }])
    const wrongPage = await fetch(`${server.url}/readyz`, { method: 'DELETE' })
    expect([wrongPage.status, wrongPage.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect((await fetch(server.url + procedure)).status).toBe(405)
    expect((await post(server, 'x', procedure, { 'content-type': 'text/xml' })).status).toBe(415)
    const unimplemented = await post(server, { id: itemId }, '/bids.v1.BidService/GetItem')
    expect(await unimplemented.json()).toMatchObject({ code: 'unimplemented' })
    const grpc = await overHttp2(server, {
      ':method': 'POST',
      ':path': '/a.B/C',
      'content-type': 'application/grpc+proto',
    })
    expect(grpc.headers).toMatchObject({ ':status': 200, 'grpc-status': '12' })
  })

  test('requests that make no URL neither hang nor end the process', async () => {
    const { server } = await start()
    const heads = [
      `POST ${procedure} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2`,
      `POST ${procedure} HTTP/1.1\r\nhost: [\r\ncontent-type: application/json\r\ncontent-length: 2`,
      `POST ${procedure} HTTP/1.1`,
    ]
    for (const head of heads) {
      const { socket, closed } = raw(server)
      socket.write(`${head}\r\n\r\n{}`)
      expect(await closed).toMatch(/^HTTP\/1.1 400/)
    }
  })

  test('noise instead of HTTP', async () => {
    const { server } = await start()
    for (const noise of ['\x16\x03\x01\x02\0\x01\0', 'PRI nonsense', 'hello\r\n\r\n']) {
      const { socket, closed } = raw(server)
      socket.write(noise)
      socket.end()
      await closed
    }
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  })
})

describe('errors of handlers', () => {
  type Failure = [name: string, error: Error, code: Code, says: RegExp, retryMs?: number]
  const tooFast = new ConnectError('too fast', Code.ResourceExhausted, { 'retry-after': '3' })
  const unavailable = Object.assign(new Error('x'), { code: 'ECONNREFUSED' })
  const held = Object.assign(new Error('canceling'), { code: '55P03' })
  const failures: Failure[] = [
    ['lock wait', held, Code.Aborted, /again/, 100],
    ['database unavailable', unavailable, Code.Unavailable, /database/, 1_000],
    ['broker unavailable', new TransientError('amqp://u:p@h'), Code.Unavailable, /broker/, 1_000],
    ['a full queue', new OverloadedError('full'), Code.ResourceExhausted, /later/, 1_000],
    ['a pace', tooFast, Code.ResourceExhausted, /too fast/, 3_000],
    ['anything', new Error('SELECT secret'), Code.Internal, /^internal error/],
    [
      'on purpose',
      new ConnectError('too low', Code.FailedPrecondition),
      Code.FailedPrecondition,
      /too low/,
    ],
  ]
  for (const [name, error, code, says, retryMs] of failures) {
    test(`${name} is ${Code[code]} and says nothing of the inside`, async () => {
      const { server, lines } = await start({ placeBid: () => Promise.reject(error) })
      const client = createClient(
        BidService,
        createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' }),
      )
      const seen = await client.placeBid(goodBid).catch((reason: unknown) => reason)
      expect(seen).toMatchObject({ code, rawMessage: expect.stringMatching(says) })
      const [retry] = ConnectError.from(seen).findDetails(RetryInfoSchema)
      expect(retry?.retryDelay && durationMs(retry.retryDelay)).toBe(retryMs)
      expect(String(seen)).not.toMatch(/SELECT|amqp|ECONN|canceling/)
      const errors = lines.filter((line) => line.includes('"level":"error"'))
      expect(errors).toHaveLength(code === Code.Internal ? 1 : 0)
      if (code === Code.Internal) expect(errors[0]).toContain('SELECT secret')
    })
  }

  test('a deadline reaches the handler and is DEADLINE_EXCEEDED, not an error of ours', async () => {
    const { server, lines } = await start({
      placeBid: async (_, { signal }) => {
        await once(signal, 'abort')
        signal.throwIfAborted()
        return {}
      },
    })
    const response = await post(server, goodJson, procedure, { 'connect-timeout-ms': '20' })
    expect(await response.json()).toMatchObject({ code: 'deadline_exceeded' })
    expect(lines.filter((line) => line.includes('"level":"error"'))).toEqual([])
  })

  test('a caller that leaves aborts the signal of its call', async () => {
    const left = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const { server, lines } = await start({
      placeBid: async (_, { signal }) => {
        begun.resolve()
        await once(signal, 'abort')
        left.resolve()
        throw new DOMException('gone', 'AbortError')
      },
    })
    const leave = new AbortController()
    const call = fetch(server.url + procedure, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(goodJson),
      signal: leave.signal,
    })
    await begun.promise
    leave.abort()
    await expect(call).rejects.toThrow()
    await left.promise
    expect(lines.filter((line) => line.includes('"level":"error"'))).toEqual([])
  })
})

describe('pages and health', () => {
  test('index, healthz and metrics, over both protocols', async () => {
    const { server } = await start()
    expect(await (await fetch(server.url)).text()).toContain(`POST ${procedure}`)
    expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: 'ok' })
    const metrics = await fetch(`${server.url}/metrics?x=1`)
    expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(await metrics.text()).toBe('# metrics\n')
    const healthz = await overHttp2(server, { ':path': '/healthz' })
    expect([healthz.headers[':status'], healthz.body]).toEqual([200, '{"status":"ok"}\n'])
  })

  test('a component that is not well makes readyz and gRPC health say so, with the reason', async () => {
    const { server } = await start({ check: () => Promise.reject(new Error('no Postgres')) })
    const ready = await fetch(`${server.url}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'unavailable', components: { bid: 'no Postgres' } },
    ])
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    const transport = createGrpcTransport({ baseUrl: server.url, idleConnectionTimeoutMs: 10 })
    const health = createClient(Health, transport)
    expect((await health.check({})).status).toBe(Status.NOT_SERVING)
  })

  test('gRPC health: check, list, watch, unknown services', async () => {
    const { server } = await start()
    const transport = createGrpcTransport({ baseUrl: server.url, idleConnectionTimeoutMs: 10 })
    const health = createClient(Health, transport)
    expect((await health.check({ service: BidService.typeName })).status).toBe(Status.SERVING)
    await expect(health.check({ service: 'a.B' })).rejects.toMatchObject({ code: Code.NotFound })
    const { statuses } = await health.list({})
    expect(statuses).toMatchObject({ '': { status: Status.SERVING } })
    const seen: Status[] = []
    for await (const { status } of health.watch({})) {
      seen.push(status)
      if (seen.length === 1) void server.stop()
    }
    expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING])
  })

  test('buf curl finds its way by reflection alone', async () => {
    const { server } = await start()
    const buf = (...args: string[]) =>
      promisify(execFile)(join(root, 'node_modules/.bin/buf'), ['curl', ...args])
    const h2 = '--http2-prior-knowledge'
    const call = ['-d', JSON.stringify(goodJson), server.url + procedure]
    for (const version of ['grpc-v1', 'grpc-v1alpha']) {
      for (const protocol of ['grpc', 'connect']) {
        const { stdout } = await buf(
          h2,
          '--protocol',
          protocol,
          '--reflect-protocol',
          version,
          ...call,
        )
        expect(JSON.parse(stdout)).toMatchObject({ minimumNextBid: '105' })
      }
    }
    const { stdout } = await buf(h2, '--list-methods', server.url)
    expect(stdout).toContain('bids.v1.BidService/PlaceBid')
    expect(stdout).toContain('grpc.health.v1.Health/Check')
  }, 30_000)
})

describe('stop', () => {
  function holdable() {
    const begun = Promise.withResolvers<AbortSignal>()
    const release = Promise.withResolvers<void>()
    const placeBid: Setup['placeBid'] = async (_, { signal }) => {
      begun.resolve(signal)
      await release.promise
      return { minimumNextBid: 105n }
    }
    return { begun: begun.promise, release: release.resolve, placeBid }
  }

  test('HTTP/1.1: what is in hand is answered, with connection: close; nothing new is taken', async () => {
    const { placeBid, begun, release } = holdable()
    const { server } = await start({ placeBid })
    const agent = new Agent({ keepAlive: true })
    const idle = new Agent({ keepAlive: true })
    cleanups.push(async () => [agent.destroy(), idle.destroy()])
    const [warm] = (await once(
      httpRequest(`${server.url}/healthz`, { agent: idle }).end(),
      'response',
    )) as [NodeJS.ReadableStream]
    await once(warm.resume(), 'end')
    const call = httpRequest(server.url + procedure, {
      agent,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    }).end(JSON.stringify(goodJson))
    const signal = await begun
    const stopped = server.stop()
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
    expect(signal.aborted).toBe(false)
    release()
    const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage]
    expect(response.statusCode).toBe(200)
    expect(response.headers.connection).toBe('close')
    response.resume()
    await stopped
  })

  test('h2c: streams in hand are answered, then the session ends', async () => {
    const { placeBid, begun, release } = holdable()
    const { server } = await start({ placeBid })
    const transport = createGrpcTransport({ baseUrl: server.url })
    const call = createClient(BidService, transport).placeBid(goodBid)
    await begun
    const stopped = server.stop()
    release()
    expect((await call).minimumNextBid).toBe(105n)
    await stopped
  })

  test('a call that does not end is aborted as UNAVAILABLE when its time is over', async () => {
    const begun = Promise.withResolvers<void>()
    const { server, lines } = await start({
      finishLimitMs: 50,
      placeBid: async (_, { signal }) => {
        begun.resolve()
        await once(signal, 'abort')
        signal.throwIfAborted()
        return {}
      },
    })
    const answer = post(server, goodJson)
    await begun.promise
    await server.stop()
    expect(await (await answer).json()).toMatchObject({ code: 'unavailable' })
    expect(lines.join('')).toContain('still in hand')
  })

  test('a handler that listens to nobody cannot hold the server', async () => {
    const { placeBid, begun } = holdable()
    const { server } = await start({ finishLimitMs: 10, placeBid })
    const answer = post(server, goodJson)
    await begun
    await Promise.all([expect(answer).rejects.toThrow(), server.stop()])
  })
})

test('a port that is taken is said by its number, with what to do', async () => {
  const { server } = await start()
  const second = start({ port: server.port })
  await expect(second).rejects.toThrow(PortInUseError)
  await expect(second).rejects.toThrow(
    new RegExp(`port ${server.port} of 127.0.0.1 is taken.*PORT=${server.port + 1}`),
  )
})
