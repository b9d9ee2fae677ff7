/** The newcomer's main job: what `make start` prints works, and what it acknowledged survives anything. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { isRunning } from '@bidmesh/platform/process/process-end.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repository } from './repository.ts'
import { runStandalone, type StandaloneProcess, startStandalone } from './standalone-process.ts'

const run = promisify(execFile)

let dataDir: string
let port: number
let standalone: StandaloneProcess

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bidmesh-e2e-'))
  port = await freePort()
  standalone = await startStandalone(dataDir, port)
})

afterAll(async () => {
  await standalone.end('SIGTERM')
  await rm(dataDir, { recursive: true, force: true })
})

async function shell(commands: string): Promise<string> {
  const path = [join(repository, 'node_modules/.bin'), process.env['PATH']].join(delimiter)
  const { stdout } = await run('bash', ['-ec', commands], {
    cwd: repository,
    env: { ...process.env, PATH: path },
  })
  return stdout
}

type Json = Record<string, never> & {
  code?: string
  bid?: { id: string; sequence: string }
  item?: { id: string }
  items?: { id: string; title: string }[]
  bids?: { id: string; userId: string }[]
  nextPageToken?: string
  stats?: { totalBids: string; totalAmount: string }
}

async function call(procedure: string, request: object): Promise<Json> {
  const response = await fetch(`${standalone.url}/${procedure}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  })
  return (await response.json()) as Json
}

const place = (request: object) => call('bids.v1.BidService/PlaceBid', request)
const statsOf = async (userId: string) =>
  (await call('userstats.v1.UserStatsService/GetUserStats', { user_id: userId })).stats

describe('what it prints', () => {
  it('is a bid that works as pasted, and the statistics that follow', async () => {
    const lines = standalone.output().match(/curl http\S+\/\w+\.v1\S+ .*/g) ?? []
    expect(lines).toHaveLength(2)
    const [bid = '', stats = ''] = lines
    const before = Number((await statsOf('ann'))?.totalBids)
    expect(JSON.parse(await shell(bid))).toMatchObject({ bid: { userId: 'ann' } })
    await eventually(async () => {
      const answer = JSON.parse(await shell(stats)) as Json
      expect(Number(answer.stats?.totalBids)).toBe(before + 1)
    })
  })
})

/** As pasted, without a breath between; only each answer on a line of its own. */
const asPasted = 'curl() { command curl -sS "$@"; echo; }'

describe('the README', () => {
  // What they bid on is found open, at the price it has by then.
  it.each(['first', 'second', 'third'])('has commands that work the %s time', async () => {
    const readme = await readFile(join(repository, 'README.md'), 'utf8')
    const blocks = [...readme.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1] ?? '')
    const script = blocks
      .filter((block) => block.includes('curl'))
      .join('\n')
      .replaceAll('http://localhost:8080', standalone.url)
    const output = await shell(`${asPasted}\n${script}`)
    const answers = output
      .split('\n')
      .filter((line) => line.startsWith('{"'))
      .map((line) => JSON.parse(line) as Json)
    const [bid, stats, again, tooLow, higher, created, cancelled] = answers
    expect(bid).toMatchObject({ bid: { userId: 'ann' } })
    expect(Number(stats?.stats?.totalBids)).toBeGreaterThanOrEqual(1)
    expect(again?.bid).toEqual(bid?.bid)
    expect(tooLow).toMatchObject({ code: 'failed_precondition' })
    expect(higher).toMatchObject({ bid: { userId: 'cleo' } })
    expect(created).toMatchObject({ item: { title: 'Lamp', sellerId: 'bob' } })
    expect(cancelled).toMatchObject({
      item: { id: created?.item?.id, cancelReason: 'Found a use for it' },
    })
    expect(output).toMatch(new RegExp(`^data: .*"bidPlaced":.*"id":"${higher?.bid?.id}"`, 'm'))
    // What buf curl printed, over several lines.
    expect(output).toMatch(/"bidders": ?\[/)
  })
})

describe('/metrics', () => {
  it('counts and times the whole way of a bid', async () => {
    const { items = [] } = await call('bids.v1.BidService/ListItems', { query: 'type letters' })
    await place({ item_id: items[0]?.id, amount: '400000', user_id: 'meter' })
    expect((await place({ item_id: items[0]?.id, amount: '1', user_id: 'meter' })).code).toBe(
      'failed_precondition',
    )
    const metrics = async () => await (await fetch(`${standalone.url}/metrics`)).text()
    await eventually(async () => {
      const text = await metrics()
      for (const name of [
        'bidmesh_bids_accepted_total',
        'bidmesh_bids_rejected_total{reason="too_low"',
        'bidmesh_lane_batch_size_count',
        'bidmesh_lane_wait_count',
        'bidmesh_transaction_duration_count',
        'bidmesh_outbox_backlog 0',
        'bidmesh_outbox_oldest_age 0',
        'bidmesh_outbox_published_total',
        'bidmesh_publish_confirm_count',
        'bidmesh_consumer_lag_count',
        'bidmesh_events_applied_total',
        'bidmesh_rpc_duration_count{procedure="bids.v1.BidService/PlaceBid",code="ok"}',
      ]) {
        expect(text).toContain(name)
      }
    })
  })
})

describe('kill -9 under load', () => {
  it('loses no acknowledged bid, and no statistic', { timeout: 120_000 }, async () => {
    const { items = [] } = await call('bids.v1.BidService/ListItems', { page_size: 5 })
    for (let round = 0; round < 3; round += 1) {
      const acknowledged = new Map<string, string>()
      const started = Date.now()
      const bidder = async (itemId: string, userId: string) => {
        for (let amount = 1_000_000 * (round + 1) + (started % 1_000); ; amount += 20_000) {
          const answer = await place({
            item_id: itemId,
            amount: String(amount),
            user_id: userId,
          }).catch(() => undefined)
          if (!answer) return
          if (answer.bid) acknowledged.set(answer.bid.id, itemId)
        }
      }
      const load = Promise.all(items.map((item, n) => bidder(item.id, `killer-${round}-${n}`)))
      await eventually(() => acknowledged.size > 100 + round * 37)
      await standalone.end('SIGKILL')
      await load
      standalone = await startStandalone(dataDir, port)

      const stored = new Map<string, number>()
      for (const [n, item] of items.entries()) {
        const userId = `killer-${round}-${n}`
        const bids = await allBids(item.id)
        for (const bid of bids) acknowledged.delete(bid.id)
        stored.set(userId, bids.filter((bid) => bid.userId === userId).length)
      }
      expect([...acknowledged.keys()]).toEqual([])
      for (const [userId, count] of stored) {
        await eventually(async () => expect(Number((await statsOf(userId))?.totalBids)).toBe(count))
      }
    }
  })

  async function allBids(itemId: string) {
    const all: { id: string; userId: string }[] = []
    let pageToken = ''
    do {
      const request = { item_id: itemId, page_size: 100, page_token: pageToken }
      const page = await call('bids.v1.BidService/GetItemBids', request)
      all.push(...(page.bids ?? []))
      pageToken = page.nextPageToken ?? ''
    } while (pageToken !== '')
    return all
  }
})

describe('a start that cannot be', () => {
  it('on a data directory in use is refused and told by whom', async () => {
    const second = await runStandalone({
      BIDMESH_DATA_DIR: dataDir,
      PORT: String(await freePort()),
    })
    expect(second.code).toBe(1)
    expect(second.errors).toContain(`already used by pid ${standalone.pid}`)
    expect(second.errors).toContain('BIDMESH_DATA_DIR')
    expect((await place({ item_id: 'x', amount: 1, user_id: 'a' })).code).toBe('invalid_argument')
  })

  it('on a port in use is told which, and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const taken = typeof address === 'object' && address ? address.port : 0
    const directory = await mkdtemp(join(tmpdir(), 'bidmesh-e2e-'))
    const refused = await runStandalone({ BIDMESH_DATA_DIR: directory, PORT: String(taken) })
    other.close()
    await rm(directory, { recursive: true, force: true })
    expect(refused.code).toBe(1)
    expect(refused.errors).toContain(String(taken))
    expect(refused.errors).toContain('PORT')
  })

  it('with faults in its configuration names all of them at once', async () => {
    const refused = await runStandalone({ PORT: 'eighty', LOG_LEVEL: 'loud', AUTH_MODE: 'jwt' })
    expect(refused.code).toBe(1)
    for (const name of ['PORT', 'LOG_LEVEL', 'OIDC_ISSUER', 'OIDC_AUDIENCE'])
      expect(refused.errors).toContain(name)
  })
})

describe('Ctrl-C', () => {
  it('ends it in order, Postgres included, and the store is there again after', async () => {
    const pidFile = join(dataDir, 'postgres/postmaster.pid')
    const postgres = Number((await readFile(pidFile, 'utf8')).split('\n')[0])
    expect(isRunning(postgres)).toBe(true)
    expect(await standalone.end('SIGINT')).toBe(0)
    expect(isRunning(postgres)).toBe(false)
    standalone = await startStandalone(dataDir, port)
    const { items = [] } = await call('bids.v1.BidService/ListItems', { query: 'desk' })
    expect(items.map((item) => item.title)).toEqual(['Walnut writing desk'])
  })
})
