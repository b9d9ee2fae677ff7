/**
 * No secret leaves a process by another door than the one it is for: real processes at the highest log level, with passwords
 * and tokens that cannot be mistaken, are made to fail in every way that mentions them, and all they write, answer and
 * export is searched.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrationsDirectory } from '@bidmesh/bid/bid-component.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { progressOnStderr } from '@bidmesh/platform/process/progress-log.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import {
  audience,
  inSeconds,
  startTestIssuer,
  type TestIssuer,
} from '@bidmesh/platform/testing/test-issuer.ts'
import { type BidmeshProcess, createBidmeshProcess } from '@bidmesh/stack/bidmesh-process.ts'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { repository } from '../repository.ts'

let issuer: TestIssuer
let database: TestDatabase
let collectorUrl: string
/** All that was written, answered and exported. */
let seen = ''
const secrets: Record<string, string> = {}
const undo: (() => unknown)[] = []

function secret(name: string): string {
  return (secrets[name] = `S3cret-${name}-${randomBytes(9).toString('hex')}`)
}

/** The same address, with a password. */
function withPassword(url: string, password: string, user?: string): string {
  const changed = new URL(url)
  changed.password = password
  if (user !== undefined) changed.username = user
  return changed.href
}

beforeAll(async () => {
  issuer = await startTestIssuer()
  database = await createTestDatabase(migrationsDirectory)
  const collector = createServer((request, response) => {
    request.on('data', (bytes: Buffer) => (seen += bytes.toString('latin1')))
    request.once('end', () => response.end('{}'))
  })
  await once(collector.listen(0, '127.0.0.1'), 'listening')
  const address = collector.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  collectorUrl = `http://127.0.0.1:${address.port}`
  undo.push(() => collector.close(), database.drop, issuer.stop)
})

afterAll(async () => {
  for (const step of undo.toReversed()) await step()
})

async function processOf(name: string, main: string, env: Record<string, string>) {
  const created = createBidmeshProcess({
    name,
    main: join(repository, 'services', main),
    port: await freePort(),
    env: {
      AUTH_MODE: 'jwt',
      OIDC_ISSUER: issuer.url,
      OIDC_AUDIENCE: audience,
      LOG_LEVEL: 'trace',
      OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
      OTEL_METRIC_EXPORT_TIMEOUT: '900',
      OTEL_BSP_SCHEDULE_DELAY: '200',
      ...env,
    },
    log: progressOnStderr('secrets'),
    output: (line) => (seen += `${line}\n`),
  })
  undo.push(created.stop)
  return created
}

/** Keeps what is answered; resolves with it. */
async function ask(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000), ...init }).catch(
    () => undefined,
  )
  if (!response) return ''
  const headers = [...response.headers].map((pair) => pair.join(': ')).join('\n')
  const text = await response.text().catch(() => '')
  seen += `${headers}\n${text}\n`
  return text
}

function call(
  { url }: BidmeshProcess,
  procedure: string,
  body: object,
  token = '',
): Promise<string> {
  return ask(`${url}/${procedure}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== '' && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
}

async function tokenOf(name: string, claims: Record<string, unknown> = {}): Promise<string> {
  const exp = inSeconds(600)
  return (secrets[name] = await issuer.token({
    sub: 'ann',
    roles: ['bidder', 'seller'],
    exp,
    ...claims,
  }))
}

it('are in nothing that leaves a process', async () => {
  // The one password that is right.
  const role = `secrets_${randomBytes(4).toString('hex')}`
  const password = secret('database')
  await database.sql.unsafe(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${password}'`)
  undo.push(() => database.sql.unsafe(`DROP ROLE ${role}`))
  const bid = await processOf('bid', 'bid/src/main.ts', {
    DATABASE_URL: withPassword(database.url, password, role),
    // No server has this password, and says so.
    REDIS_URL: withPassword(inject('redisUrl'), secret('redis')),
  })
  await bid.start()
  const good = await tokenOf('token')
  const tokens = [
    good,
    await tokenOf('expired', { exp: inSeconds(-600) }),
    await tokenOf('wrong-audience', { aud: 'others' }),
    `${good.slice(0, -8)}AAAAAAAA`,
    secret('no-token'),
  ]
  const endAt = new Date(Date.now() + 3_600_000).toISOString()
  for (const token of tokens) {
    await call(
      bid,
      'bids.v1.BidService/CreateItem',
      { title: 'Lamp', startPrice: 100, endAt },
      token,
    )
    await call(bid, 'bids.v1.BidService/PlaceBid', { itemId: 'x', amount: -1 }, token)
    await ask(`${bid.url}/bids.v1.BidService/GetItem?encoding=json&message=${token}`)
    await ask(`${bid.url}/nothing?access_token=${token}`)
  }
  // Faults of the server's own.
  await database.sql`ALTER TABLE items RENAME TO items_away`
  await call(bid, 'bids.v1.BidService/ListItems', {}, good)
  await call(bid, 'bids.v1.BidService/CreateItem', { title: 'Lamp', startPrice: 100, endAt }, good)
  await ask(`${bid.url}/readyz`)
  await database.sql`ALTER TABLE items_away RENAME TO items`

  const directory = await mkdtemp(join(tmpdir(), 'bidmesh-secrets-'))
  undo.push(() => rm(directory, { recursive: true }))
  const tokenFile = join(directory, 'token')
  await writeFile(tokenFile, secret('service-token'))
  const live = await processOf('live', 'live/src/main.ts', {
    BID_URL: bid.url,
    AMQP_URL: inject('amqpUrl'),
    SERVICE_TOKEN_FILE: tokenFile,
  })
  // It does not get ready: nobody believes its token.
  void live.start().catch(() => undefined)
  await eventually(async () => expect(await ask(`${live.url}/readyz`)).toContain('token'))
  const answer = await call(live, 'live.v1.LiveService/IssueStreamTicket', {}, good)
  secrets['ticket'] = /"ticket":"([^"]+)"/.exec(answer)?.[1] ?? ''
  // The one answer that it is for.
  seen = seen.replaceAll(answer, '')
  const item = '00000000-0000-4000-8000-000000000001'
  await ask(`${live.url}/live/items/${item}?ticket=${secrets['ticket']}`)
  await ask(`${live.url}/live/items/${item}?ticket=${secret('unknown-ticket')}`)

  const broken = await Promise.all([
    processOf('relay', 'outbox-worker/src/main.ts', {
      DATABASE_URL: withPassword(database.url, secret('relay-database')),
      AMQP_URL: withPassword(inject('amqpUrl'), secret('amqp'), 'nobody'),
    }),
    processOf('stats', 'stats/src/main.ts', {
      DATABASE_URL: withPassword('postgres://bidmesh@127.0.0.1:1/none', secret('stats-database')),
      AMQP_URL: withPassword('amqp://guest@127.0.0.1:1', secret('stats-amqp')),
    }),
    // Not even an address.
    processOf('auctioneer', 'bid/src/auctioneer-main.ts', {
      DATABASE_URL: `postgres://bidmesh:${secret('typo')}@:port/`,
      REDIS_URL: `http://:${secret('redis-typo')}@`,
    }),
  ])
  for (const each of broken) void each.start().catch(() => undefined)
  await eventually(
    () => {
      for (const word of ['ACCESS_REFUSED', 'ECONNREFUSED', 'DATABASE_URL cannot be used'])
        expect(seen).toContain(word)
    },
    { limitMs: 30_000 },
  )
  for (const each of [bid, live, ...broken]) {
    await ask(`${each.url}/metrics`)
    await ask(`${each.url}/readyz`)
  }
  await Promise.all([bid, live, ...broken].map((each) => each.stop()))

  // What is searched has what it is to be searched for: logs, metrics, and spans of the calls above.
  expect(seen).toContain('"level"')
  expect(seen).toContain('bidmesh_rpc_duration_count')
  expect(seen).toContain('resourceSpans')
  expect(secrets['ticket']).not.toBe('')
  const found = Object.entries(secrets).filter(([, value]) =>
    [value, encodeURIComponent(value), Buffer.from(value).toString('base64')].some((form) =>
      seen.includes(form),
    ),
  )
  expect(found.map(([name]) => name)).toEqual([])
})
