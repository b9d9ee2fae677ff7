/** What one client, or a crowd of them, may take from the others: nothing they need. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomUUIDv7 } from 'node:crypto'
import { get, type IncomingMessage } from 'node:http'
import { connect as connectHttp2, constants } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { Code, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { trustEverybody } from '../identity/authenticator.ts'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Health } from '@bidmesh/gen/grpc/health/v1/health_pb.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { BODY_BYTES_PER_CONNECTION_MAX } from './body-budget.ts'
import { freePort } from '../process/free-port.ts'
import { WATCHES_MAX } from '../rpc/grpc-health.ts'
import { createLog } from '../process/log.ts'
import type { Component } from '../process/component.ts'
import { type Server, type ServerOptions, startServer } from './server.ts'
import { eventually } from '../testing/eventually.ts'
import { UNREAD_BYTES_MAX } from './unread-budget.ts'

const large = Buffer.alloc(8 * 1024 * 1024)
const placeBid = '/bids.v1.BidService/PlaceBid'
const post = { ':method': 'POST', ':path': placeBid, 'content-type': 'application/json' }

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A server with one component that counts its calls; `GET /large` answers with more than the system takes over. */
async function start(options: Partial<ServerOptions> = {}) {
  const lines: string[] = []
  let calls = 0
  const component: Component = {
    name: 'bid',
    services: [BidService],
    routes: (router) => {
      router.service(BidService, {
        placeBid: (_, { signal }) => {
          calls += 1
          const { promise, reject } = Promise.withResolvers<never>()
          signal.addEventListener('abort', () => reject(signal.reason))
          return promise
        },
      })
    },
    handle: (asked, response) => {
      if (asked.url === '/leave') void readBeginning(asked).then(() => response.end('left'))
      if (asked.url === '/leave') return true
      if (asked.url !== '/large') return false
      response.end(large)
      return true
    },
    check: async () => undefined,
    stop: async () => undefined,
  }
  const destination = { write: (line: string) => lines.push(line) }
  const server = await startServer({
    authenticator: trustEverybody,
    host: '127.0.0.1',
    port: 0,
    components: [component],
    log: createLog({ name: 'test', level: 'debug', destination }),
    metricsText: async () => '',
    finishLimitMs: 50,
    ...options,
  })
  cleanups.push(() => server.stop())
  return { server, lines, calls: () => calls }
}

/** Reads the beginning, as the library does of a message that it refuses, and takes its time to say so. */
async function readBeginning(request: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of request) break
  await wait(50)
}

async function openSockets({ port }: Pick<Server, 'port'>, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (let index = 0; index < count; index += 1) {
    const socket = connectTcp({ port, host: '127.0.0.1' }).on('error', () => undefined)
    cleanups.push(() => socket.destroy())
    sockets.push(socket)
    await once(socket, 'connect')
  }
  return sockets
}

/** A session, and the code with which the server sends it away. */
function openSession(server: Server) {
  const session = connectHttp2(server.url).on('error', () => undefined)
  cleanups.push(() => session.destroy())
  const { promise: goaway, resolve } = Promise.withResolvers<number>()
  session.on('goaway', resolve)
  return { session, goaway }
}

function callOn(session: ClientHttp2Session, headers = post) {
  return session.request(headers).on('error', () => undefined)
}

/** `once` would reject with the socket's error. */
function closeOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.on('close', resolve))
}

/** By a connection of its own: one that was kept is the longest idle, and may be cut while it is used. */
async function expectAlive({ url }: Pick<Server, 'url'>): Promise<void> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${url}/healthz`, { agent: false }, resolve).on('error', reject)
  })
  response.resume()
  expect(response.statusCode).toBe(200)
}

describe('places', () => {
  test('idle connections give way to newcomers, the oldest first, and the log says so', async () => {
    const { server, lines } = await start({ maxConnections: 4 })
    expect(server.maxConnections).toBe(4)
    const sockets = await openSockets(server, 6)
    await eventually(() =>
      expect(sockets.map((socket) => socket.closed)).toEqual([
        true,
        true,
        false,
        false,
        false,
        false,
      ]),
    )
    await expectAlive(server)
    expect(lines.join('')).toContain('connections were cut')
  })

  test('a process with few descriptors survives more connections than it has', async () => {
    const port = await freePort()
    const main = join(import.meta.dirname, '../testing/counting-process.ts')
    const child = spawn(
      '/bin/sh',
      ['-c', 'ulimit -n 400 && exec "$0" "$1"', process.execPath, main],
      {
        env: { ...process.env, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'info' },
      },
    )
    cleanups.push(() => child.kill('SIGKILL'))
    const ready = once(createInterface(child.stdout), 'line')
    const told = once(child.stdout, 'data').then(() => undefined)
    await Promise.all([ready, told])
    const url = `http://127.0.0.1:${port}`
    await eventually(() => expectAlive({ url }))
    await openSockets({ port }, 600)
    await expectAlive({ url })
    expect(child.exitCode).toBeNull()
  }, 60_000)
})

describe('manners of HTTP/1.1', () => {
  const healthz = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n'

  test('requests that do not wait for their answers are answered one by one', async () => {
    const { server } = await start()
    const socket = connectTcp(server.port, '127.0.0.1').setEncoding('latin1')
    cleanups.push(() => socket.destroy())
    let text = ''
    socket.on('data', (part) => (text += String(part))).write(healthz.repeat(17))
    await eventually(() => expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(17))
  })

  test('who sends hundreds of them is cut, and the rest is not begun', async () => {
    const { server, calls } = await start()
    const socket = connectTcp(server.port, '127.0.0.1').on('error', () => undefined)
    cleanups.push(() => socket.destroy())
    const body = JSON.stringify({ itemId: randomUUIDv7(), amount: 1, userId: 'ann' })
    const head = `POST ${placeBid} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json`
    const request = `${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const closed = closeOf(socket.resume())
    socket.write(request.repeat(500))
    await closed
    expect(calls()).toBeLessThanOrEqual(1)
    await expectAlive(server)
  })

  test('who writes on after the answer reads it, and is cut', async () => {
    const { server } = await start()
    const socket = connectTcp(server.port, '127.0.0.1').on('error', () => undefined)
    cleanups.push(() => socket.destroy())
    let answer = ''
    socket.on('data', (part) => (answer += String(part)))
    const closed = closeOf(socket)
    const head = `POST ${placeBid} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json`
    socket.write(`${head}\r\ncontent-length: 1000000000\r\n\r\n`)
    let sent = 0
    const write = (): void => {
      while (!socket.destroyed && socket.write(large.subarray(0, 65_536))) sent += 65_536
    }
    socket.on('drain', write)
    write()
    await closed
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(sent).toBeLessThan(100_000_000)
  })

  test('so is who writes on and never said how much', async () => {
    const { server } = await start()
    const socket = connectTcp(server.port, '127.0.0.1').on('error', () => undefined)
    cleanups.push(() => socket.destroy())
    const closed = closeOf(socket)
    const piece = Buffer.concat([
      Buffer.from('10000\r\n'),
      Buffer.alloc(65_536),
      Buffer.from('\r\n'),
    ])
    const head = `POST ${placeBid} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json`
    socket.write(`${head}\r\ntransfer-encoding: chunked\r\n\r\n`)
    socket.write(Buffer.concat([piece, piece]))
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 4/)
    for (let count = 0; count < 8; count += 1) socket.write(piece)
    await closed
    await expectAlive(server)
  })

  const leave = 'POST /leave HTTP/1.1\r\nhost: localhost\r\n'

  test('a body that nobody reads to its end is not in the way of the next request', async () => {
    const { server } = await start()
    const socket = connectTcp(server.port, '127.0.0.1').setEncoding('latin1')
    cleanups.push(() => socket.destroy())
    let text = ''
    socket.on('data', (part) => (text += String(part)))
    socket.write(`${leave}content-length: 3\r\n\r\n`)
    socket.write('a')
    await wait(20)
    socket.write('b')
    await eventually(() => expect(text).toContain('left'))
    socket.write(`c${healthz}`)
    await eventually(() => expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(2))
  })

  test('an answer to a body of unknown length that has not come is the last one, and says so', async () => {
    const { server } = await start()
    const socket = connectTcp(server.port, '127.0.0.1').setEncoding('latin1')
    cleanups.push(() => socket.destroy())
    const errors: Error[] = []
    let text = ''
    socket.on('data', (part) => (text += String(part))).on('error', (error) => errors.push(error))
    const closed = closeOf(socket)
    socket.write(`${leave}transfer-encoding: chunked\r\n\r\n1\r\na\r\n`)
    await wait(20)
    // What waits to be read, and what is still written, resets nothing.
    const piece = `8000\r\n${'b'.repeat(0x8000)}\r\n`
    socket.write(piece.repeat(5))
    await eventually(() => expect(text).toContain('left'))
    expect(text).toMatch(/^connection: close\r$/im)
    socket.write(`0\r\n\r\n${healthz}`)
    await closed
    expect(errors).toEqual([])
    expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(1)
  })
})

describe('manners of HTTP/2', () => {
  test('requests that are reset at once begin nothing, and end the session', async () => {
    const { server, calls } = await start()
    const { session } = openSession(server)
    await once(session, 'connect')
    let sent = 0
    // Those that come with their reset are counted by nghttp2 (1,000), which does not always say goodbye.
    while (!session.destroyed && !session.closed) {
      for (let count = 0; count < 50 && !session.destroyed && !session.closed; count += 1) {
        callOn(session).close(constants.NGHTTP2_CANCEL)
        sent += 1
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sent).toBeLessThan(50_000)
    expect(calls()).toBe(0)
    await expectAlive(server)
  })

  test('a deadline that passes for all calls in flight ends nothing', async () => {
    const { server, calls } = await start()
    const { session } = openSession(server)
    await once(session, 'connect')
    const streams = Array.from({ length: 100 }, () => callOn(session))
    const body = JSON.stringify({ item_id: crypto.randomUUID(), amount: 1, user_id: 'ann' })
    for (const stream of streams) stream.end(body)
    await eventually(() => expect(calls()).toBe(100))
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
    const healthz = session.request({ ':path': '/healthz' })
    const [headers] = await once(healthz, 'response')
    expect(headers[':status']).toBe(200)
    expect(session.destroyed).toBe(false)
  })

  test('calls beyond those that may wait for their turn are refused, and may come again', async () => {
    const { server, calls } = await start()
    const sessions = Array.from({ length: 25 }, () => openSession(server).session)
    await Promise.all(sessions.map((session) => once(session, 'connect')))
    // Beside a bid in hand, few others are begun at a time.
    const bid = callOn(openSession(server).session)
    bid.end(JSON.stringify({ item_id: crypto.randomUUID(), amount: 1, user_id: 'ann' }))
    await eventually(() => calls() === 1)
    const codeOf = (session: ClientHttp2Session): Promise<number> =>
      new Promise((resolve) => {
        const stream = callOn(session, { ...post, ':path': '/grpc.health.v1.Health/Watch' })
        stream.on('response', () => resolve(constants.NGHTTP2_NO_ERROR))
        stream.on('close', () => resolve(stream.rstCode))
        stream.end()
      })
    const askOnAll = (each: number): Promise<number[]> =>
      Promise.all(
        sessions.flatMap((session) => Array.from({ length: each }, () => codeOf(session))),
      )
    expect(new Set(await askOnAll(100))).toEqual(
      new Set([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_REFUSED_STREAM]),
    )
    bid.close(constants.NGHTTP2_CANCEL)
    expect(new Set(await askOnAll(1))).toEqual(new Set([constants.NGHTTP2_NO_ERROR]))
    for (const session of sessions) expect(session.closed).toBe(false)
    await expectAlive(server)
  })

  test('bytes that are for nothing end the session', async () => {
    const { server } = await start()
    const [socket] = await openSockets(server, 1)
    const ping = Buffer.concat([Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0]), Buffer.alloc(8)])
    socket?.resume().write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
    // Whether the next write fails or not.
    const closed = new Promise<boolean>((resolve) => {
      socket?.once('close', () => resolve(true))
    })
    const pings = Buffer.concat(Array.from({ length: 1_000 }, () => ping))
    const flood = setInterval(() => socket?.write(pings), 1)
    await expect(closed).resolves.toBe(true)
    clearInterval(flood)
    await expectAlive(server)
  })
})

describe('budgets', () => {
  test('bodies that never end: the connection that exceeds its own is sent away', async () => {
    const { server } = await start()
    const { session, goaway } = openSession(server)
    await once(session, 'connect')
    const body = Buffer.alloc(60_000, ' ')
    const streams = Math.ceil(BODY_BYTES_PER_CONNECTION_MAX / body.length) + 1
    for (let index = 0; index < streams; index += 1) callOn(session).write(body)
    expect(await goaway).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    await expectAlive(server)
  })

  test('answers nobody reads: those who owe are cut until the rest fits', async () => {
    const { server } = await start()
    // The system takes about half of each.
    const count = (4 * UNREAD_BYTES_MAX) / large.length
    const sockets = await openSockets(server, count)
    // Reading nothing, the end of a connection is seen by writing only.
    for (const socket of sockets) socket.pause().write('GET /large HTTP/1.1\r\nhost: x\r\n\r\n')
    await eventually(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write('\r\n')
      expect(sockets.some((socket) => socket.destroyed)).toBe(true)
    })
    await expectAlive(server)
  })

  test('gRPC health watches are few, and free again when they end', async () => {
    const { server } = await start()
    const leave = new AbortController()
    const watchers = Array.from({ length: Math.ceil(WATCHES_MAX / 100) }, () =>
      createClient(
        Health,
        createGrpcTransport({ baseUrl: server.url, idleConnectionTimeoutMs: 10 }),
      ),
    )
    let told = 0
    const watch = async (index: number, signal: AbortSignal): Promise<number> => {
      const client = watchers[index % watchers.length]
      if (client === undefined) throw new Error('no client')
      try {
        for await (const _ of client.watch({}, { signal })) told += 1
        return 0
      } catch (error) {
        return (error as { code: Code }).code
      }
    }
    const held = Array.from({ length: WATCHES_MAX }, (_, index) => watch(index, leave.signal))
    await eventually(() => told === WATCHES_MAX)
    const oneMore = () => watch(0, AbortSignal.timeout(200))
    await eventually(async () => expect(await oneMore()).toBe(Code.ResourceExhausted))
    leave.abort()
    expect(new Set(await Promise.all(held))).toEqual(new Set([Code.Canceled]))
    await eventually(async () => expect(await oneMore()).not.toBe(Code.ResourceExhausted))
  }, 30_000)
})
