/** The app's files beside real procedures on a real port. */
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createWebComponent } from './web-component.ts'

const page = '<!doctype html><div id="root"></div>'
const script = 'export const answer = 42\n'
const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
const itemId = '0193a1b2-0000-7000-8000-000000000001'

const bids: Component = {
  name: 'bid',
  services: [BidService],
  routes: (router) => {
    router.service(BidService, { getItem: ({ id }) => ({ item: { id, title: 'Lamp' } }) })
  },
  check: async () => undefined,
  stop: async () => undefined,
}

let dir: string
let server: Server
let lines: string[]

async function build(): Promise<void> {
  await mkdir(join(dir, 'assets'), { recursive: true })
  await writeFile(join(dir, 'index.html'), page)
  await writeFile(join(dir, 'favicon.svg'), '<svg/>')
  const asset = join(dir, 'assets/index-Dx1_k2.js')
  await writeFile(asset, script)
  await writeFile(`${asset}.br`, brotliCompressSync(script))
  await writeFile(`${asset}.gz`, gzipSync(script))
}

async function start(filesAtOnce?: number): Promise<void> {
  const destination = { write: (line: string) => lines.push(line) }
  const log = createLog({ name: 'test', level: 'info', destination })
  server = await startTestServer([bids, createWebComponent({ dir, log, filesAtOnce })])
}

beforeEach(async () => {
  lines = []
  dir = await mkdtemp(join(tmpdir(), 'bidmesh-web-'))
})

afterEach(async () => {
  await server.stop()
  await rm(dir, { recursive: true, force: true })
})

const get = (path: string, headers = {}) => fetch(`${server.url}${path}`, { headers })

/** As fetch, but without decoding and with any header. */
async function getRaw(path: string, headers = {}) {
  const request = httpRequest(`${server.url}${path}`, { headers }).end()
  const [response] = await new Promise<[import('node:http').IncomingMessage]>((resolve, reject) => {
    request.once('response', (answer) => resolve([answer])).once('error', reject)
  })
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

/** What a browser may be sent to: pages of the app, with a slash too many or not, and what is nowhere. */
const addresses = [
  [200, '/'],
  [200, '/sell'],
  [200, '/my'],
  [200, '/signed-in?code=abc&state=def'],
  [200, '/market?range=7d'],
  [200, '/market/'],
  [200, '/Market//?range=7d'],
  [200, `/items/${itemId}`],
  [200, `/items/${itemId}/edit`],
  [200, '/items/abc/'],
  [200, '/items/%E0%A4%A'],
  [404, '/nonsense'],
  [404, '/nonsense/?q=1'],
  [404, '/items/'],
  [404, '/items/a/b/c'],
  [404, '/assets/old.js'],
  [404, '/bids.v1.BidService/'],
  [404, '/healthz/'],
  [404, '/.env'],
] as const

describe('a built app', () => {
  beforeEach(async () => {
    await build()
    await start()
  })

  it('answers a browser with the page wherever it goes, never from a cache unasked', async () => {
    for (const [status, path] of addresses) {
      const response = await get(path, html)
      expect([path, response.status]).toEqual([path, status])
      expect(await response.text()).toBe(page)
      expect(response.headers.get('content-type')).toBe('text/html;charset=utf-8')
      expect(response.headers.get('cache-control')).toBe('no-cache')
      expect(response.headers.get('vary')).toBe('accept, accept-encoding')
      const policy = response.headers.get('content-security-policy')
      expect(policy).toContain("default-src 'self'")
      expect(policy).not.toContain('unsafe-eval')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('referrer-policy')).toBe('strict-origin-when-cross-origin')
    }
  })

  it('says so when nothing has changed, and of no page that it is there', async () => {
    const etag = (await get('/', html)).headers.get('etag') ?? ''
    expect((await getRaw('/', { ...html, 'if-none-match': etag })).status).toBe(304)
    expect((await getRaw('/nonsense', { ...html, 'if-none-match': etag })).status).toBe(404)
  })

  it('answers who asks for no HTML with typed JSON', async () => {
    for (const path of ['/nothing', '/market/', '/items/a/b/c', '/bids.v1.BidService/Nothing']) {
      const { status, headers, body } = await getRaw(path, { accept: 'application/json' })
      expect([path, status]).toEqual([path, 404])
      expect(headers['content-security-policy']).toBeUndefined()
      expect(JSON.parse(body)).toHaveProperty('code')
      const posted = await fetch(`${server.url}${path}`, { method: 'POST', headers: html })
      expect(await posted.json()).toHaveProperty('code')
    }
  })

  it('sends no body to HEAD, also where nothing is', async () => {
    const asked = { method: 'HEAD', headers: html }
    const response = await fetch(`${server.url}/nothing`, asked)
    expect([response.status, await response.text()]).toEqual([404, ''])
    expect(response.headers.get('content-length')).toBe(String(page.length))
  })

  it.each([
    ['br', 'gzip, deflate, br'],
    ['gzip', 'gzip'],
    [undefined, 'identity'],
  ])('sends an asset as %s to who takes %s, to keep for a year', async (encoding, accepted) => {
    const asset = '/assets/index-Dx1_k2.js'
    const { headers } = await getRaw(asset, { 'accept-encoding': accepted })
    expect(headers['content-encoding']).toBe(encoding)
    expect(headers['content-type']).toBe('text/javascript')
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(await (await get(asset, { 'accept-encoding': accepted })).text()).toBe(script)
  })

  it('keeps files with a lasting name for an hour', async () => {
    const response = await get('/favicon.svg')
    expect(response.headers.get('cache-control')).toBe('public, max-age=3600')
    expect(response.headers.get('content-type')).toBe('image/svg+xml')
  })

  it('speaks HTTP/2 as well', async () => {
    const session = connectHttp2(server.url)
    const body = await text(session.request({ ':path': '/my', ...html }))
    session.close()
    expect(body).toBe(page)
  })

  it.each(['bytes=5-2', 'bytes=x', 'bytes=-3', 'bytes=900-', 'nonsense'])(
    'sends whole files whatever range is asked for: %s',
    async (range) => {
      const { status, body } = await getRaw('/favicon.svg', { range })
      expect({ status, body }).toEqual({ status: 200, body: '<svg/>' })
    },
  )

  it('shows a new build at once, and does not miss the old files', async () => {
    await rm(dir, { recursive: true })
    expect((await get('/assets/index-Dx1_k2.js')).status).toBe(404)
    await build()
    await writeFile(join(dir, 'index.html'), `${page}<p>longer than before</p>`)
    expect(await (await get('/', html)).text()).toBe(`${page}<p>longer than before</p>`)
  })
})

describe('how people sign in', () => {
  it('is told to the app, which may then reach the issuer', async () => {
    await build()
    const signIn = {
      mode: 'jwt',
      issuer: 'https://login.example.org/realms/auction',
      clientId: 'web',
      scope: 'openid',
      rolesClaim: 'roles',
    } as const
    const log = createLog({ name: 'test', level: 'silent' })
    server = await startTestServer([createWebComponent({ dir, signIn, log })])
    const response = await get('/config.json')
    expect(await response.json()).toEqual(signIn)
    expect(response.headers.get('cache-control')).toBe('no-cache')
    const policy = (await get('/', html)).headers.get('content-security-policy')
    expect(policy).toContain("connect-src 'self' https://login.example.org;")
  })

  it('is by a name unless it is said otherwise', async () => {
    await build()
    await start()
    expect(await (await get('/config.json')).json()).toEqual({ mode: 'trusted' })
    const policy = (await get('/', html)).headers.get('content-security-policy')
    expect(policy).toContain("connect-src 'self';")
  })
})

/** The same with and without a build. */
async function servicesAnswer(): Promise<void> {
  const index = await (await get('/')).text()
  expect(index).toContain('POST /bids.v1.BidService/GetItem')
  expect((await get('/healthz', html)).headers.get('content-type')).toBe('application/json')
  expect((await get('/metrics', html)).status).toBe(200)
  const post = { method: 'POST', headers: { 'content-type': 'application/json', ...html } }
  const asked = { ...post, body: JSON.stringify({ id: itemId }) }
  const item = await fetch(`${server.url}/bids.v1.BidService/GetItem`, asked)
  expect(await item.json()).toMatchObject({ item: { title: 'Lamp' } })
  const message = encodeURIComponent(JSON.stringify({ id: itemId }))
  const query = `?connect=v1&encoding=json&message=${message}`
  const byGet = await get(`/bids.v1.BidService/GetItem${query}`, html)
  expect(await byGet.json()).toMatchObject({ item: { title: 'Lamp' } })
  for (const path of ['/nothing', '/assets/old.js', '/../package.json', '/items/a/b/c', '/.env']) {
    const { status, headers } = await getRaw(path)
    expect({ path, status }).toEqual({ path, status: 404 })
    expect(headers['content-security-policy']).toBeUndefined()
  }
}

describe('what is not the app', () => {
  it('is the services', async () => {
    await build()
    await start()
    await servicesAnswer()
    const posted = await fetch(server.url, { method: 'POST', headers: html })
    expect(posted.status).toBe(405)
    expect(await (await get('/')).text()).toContain('GET /  the web app')
  })

  it('is the services without a build too, which is said once', async () => {
    await start()
    await servicesAnswer()
    expect(await (await get('/', html)).text()).toContain('Bidmesh')
    expect(await (await get('/nothing', html)).json()).toHaveProperty('code', 'not_found')
    expect(lines.filter((line) => line.includes('the web app is not built'))).toHaveLength(1)
  })
})

/** Those of the build that this process has open. */
async function openFiles(): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd')
  const paths = await Promise.all(
    descriptors.map((one) => readlink(`/proc/self/fd/${one}`).catch(() => '')),
  )
  return paths.filter((path) => path.startsWith(dir))
}

describe.runIf(process.platform === 'linux')('files that are being sent', () => {
  beforeEach(async () => {
    await build()
    // More than the system takes over from us.
    await writeFile(join(dir, 'large.bin'), Buffer.alloc(16 * 1024 * 1024))
    await start(2)
  })

  /** Asks for a file and reads nothing of it. */
  async function ask(path: string) {
    const call = httpRequest(server.url + path, { agent: false }).end()
    const [response] = await once(call, 'response')
    return { call, status: response.statusCode as number }
  }

  it('are closed when their reader leaves', async () => {
    const { call } = await ask('/large.bin')
    expect(await openFiles()).toHaveLength(1)
    call.destroy()
    await eventually(async () => expect(await openFiles()).toEqual([]))
  })

  it('are only so many at once: descriptors are for databases too', async () => {
    const calls = [await ask('/large.bin'), await ask('/large.bin')]
    expect(await ask('/large.bin')).toMatchObject({ status: 503 })
    expect((await get('/bids.v1.BidService/Nope')).status).not.toBe(503)
    for (const { call } of calls) call.destroy()
    await eventually(async () => expect((await get('/favicon.svg')).status).toBe(200))
  })
})
