/** Browsers' questions and names that point here, on a real port, over both protocols of it. */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { IncomingHttpHeaders } from 'node:http2'
import { text } from 'node:stream/consumers'
import { trustEverybody } from '../identity/authenticator.ts'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { createLog } from '../process/log.ts'
import type { OriginRules } from './origin-gate.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

const app = 'https://app.example.org'
const procedure = '/bids.v1.BidService/PlaceBid'
const bid = { item_id: '0193a1b2-0000-7000-8000-000000000001', amount: 100, user_id: 'ann' }

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

async function start(rules: OriginRules): Promise<Server> {
  const server = await startServer({
    authenticator: trustEverybody,
    ...rules,
    host: '127.0.0.1',
    port: 0,
    components: [
      {
        name: 'bid',
        services: [BidService],
        routes: (router) => router.service(BidService, { placeBid: () => ({}) }),
        handle: ({ url }, response) => {
          if (url !== '/stream') return false
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          response.end(': hello\n\n')
          return true
        },
        check: async () => undefined,
        stop: async () => undefined,
      },
    ],
    log: createLog({ name: 'test', level: 'silent' }),
    metricsText: async () => '',
  })
  servers.push(server)
  return server
}

type Asked = { method?: string; path?: string; headers?: Record<string, string>; body?: object }

/** Not by fetch, which sends no Host or Origin of ours. */
async function ask(server: Server, { method = 'GET', path = '/healthz', headers, body }: Asked) {
  const request = httpRequest(server.url + path, { method, headers: { ...headers } })
  request.end(body && JSON.stringify(body))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const answer = await text(response)
  return { status: response.statusCode, headers: response.headers, body: answer }
}

const json = { 'content-type': 'application/json' }
const preflight = {
  method: 'OPTIONS',
  path: procedure,
  headers: {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  },
}

describe('pages of other origins', () => {
  test('an allowed one gets its preflight answered, and reads every kind of answer', async () => {
    const server = await start({ corsOrigins: [app] })
    const asked = await ask(server, {
      ...preflight,
      headers: { ...preflight.headers, origin: app },
    })
    expect(asked.status).toBe(204)
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': app,
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-max-age': expect.stringMatching(/^\d+$/),
      vary: 'origin',
    })
    const allowed = String(asked.headers['access-control-allow-headers']).toLowerCase()
    for (const header of [
      'content-type',
      'connect-protocol-version',
      'x-grpc-web',
      'grpc-timeout',
      'authorization',
    ])
      expect(allowed).toContain(header)
    const origin = { origin: app }
    const answers = [
      await ask(server, {
        method: 'POST',
        path: procedure,
        headers: { ...json, ...origin },
        body: bid,
      }),
      await ask(server, {
        method: 'POST',
        path: procedure,
        headers: { ...json, ...origin },
        body: {},
      }),
      await ask(server, { method: 'POST', path: procedure, headers: origin }),
      await ask(server, { path: '/healthz', headers: origin }),
      await ask(server, { path: '/stream', headers: origin }),
      await ask(server, { path: '/nowhere', headers: origin }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 415, 200, 200, 404])
    for (const { headers } of answers) {
      expect(headers).toMatchObject({ 'access-control-allow-origin': app, vary: 'origin' })
      expect(String(headers['access-control-expose-headers']).toLowerCase()).toContain(
        'grpc-status',
      )
      expect(headers).not.toHaveProperty('access-control-allow-credentials')
    }
  })

  test('all others get nothing that lets a browser read an answer', async () => {
    const server = await start({ corsOrigins: [app] })
    for (const origin of [
      'https://evil.example',
      `${app}.evil.example`,
      'http://app.example.org',
      'null',
    ]) {
      const asked = await ask(server, { ...preflight, headers: { ...preflight.headers, origin } })
      expect([asked.status, JSON.parse(asked.body)]).toMatchObject([
        403,
        { code: 'permission_denied' },
      ])
      const called = await ask(server, { headers: { origin } })
      expect(called.status).toBe(200)
      for (const { headers } of [asked, called]) {
        expect(headers).toMatchObject({ vary: 'origin' })
        expect(headers).not.toHaveProperty('access-control-allow-origin')
      }
    }
    expect((await ask(server, {})).headers).toMatchObject({ vary: 'origin' })
  })

  test('* is everybody, said as such; without a list nobody is', async () => {
    const open = await start({ corsOrigins: ['*'] })
    const asked = await ask(open, { headers: { origin: 'https://any.example' } })
    expect(asked.headers).toMatchObject({ 'access-control-allow-origin': '*' })
    expect(asked.headers).not.toHaveProperty('vary')
    const closed = await ask(await start({}), { headers: { origin: app } })
    expect(closed.headers).not.toHaveProperty('access-control-allow-origin')
    expect(closed.status).toBe(200)
  })
})

describe('names that point here', () => {
  test('only its own names are answered for', async () => {
    const server = await start({ allowedHosts: ['auction.example.org'] })
    const { port } = server
    const own = [
      `localhost:${port}`,
      `127.0.0.1:${port}`,
      `[::1]:${port}`,
      '192.168.1.7',
      'LOCALHOST',
      'auction.example.org:8443',
    ]
    for (const host of own) expect((await ask(server, { headers: { host } })).status).toBe(200)
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'x y',
    ]) {
      for (const path of ['/healthz', '/', '/stream', procedure]) {
        const { status, body } = await ask(server, { path, headers: { host } })
        expect([status, JSON.parse(body)]).toMatchObject([
          421,
          { message: expect.stringContaining('ALLOWED_HOSTS') },
        ])
      }
    }
  })

  test('HTTP/2 has its name in :authority', async () => {
    const server = await start({ allowedHosts: [] })
    const session = connectHttp2(server.url)
    const status = async (authority: string) => {
      const stream = session.request({ ':path': '/healthz', ':authority': authority })
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
      stream.resume()
      return headers[':status']
    }
    expect(await status(`localhost:${server.port}`)).toBe(200)
    expect(await status('evil.example')).toBe(421)
    session.close()
  })

  test('pages of other names may not call, whatever they send; ours, and those allowed, may', async () => {
    const server = await start({ allowedHosts: [], corsOrigins: [app] })
    const call = (origin: string, type = 'application/json') =>
      ask(server, {
        method: 'POST',
        path: procedure,
        headers: { 'content-type': type, origin },
        body: bid,
      })
    for (const origin of [
      'https://evil.example',
      'null',
      'http://192.168.1.7',
      'http://localhost.evil.example',
    ]) {
      for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
        const { status, headers } = await call(origin, type)
        expect(status).toBe(403)
        expect(headers).not.toHaveProperty('access-control-allow-origin')
      }
    }
    for (const origin of [
      server.url,
      `http://localhost:${server.port}`,
      'http://localhost:5173',
      app,
    ])
      expect((await call(origin)).status).toBe(200)
  })

  test('without a list any name is answered for, as behind a proxy', async () => {
    const server = await start({})
    expect((await ask(server, { headers: { host: 'auction.example.org' } })).status).toBe(200)
  })
})
