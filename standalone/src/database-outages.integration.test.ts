/**
 * All parts of Bidmesh on a Postgres that is changed under them: it takes reads only for a while, a table is unavailable,
 * a standby takes over, columns are added, and its settings are not those we would choose. Seen from outside, by
 * callers and probes.
 */
import { randomUUID } from 'node:crypto'
import { cp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { BidRejectionSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '@bidmesh/platform/postgres/embedded-postgres.ts'
import { ensureDatabase } from '@bidmesh/platform/postgres/ensure-database.ts'
import { connectPostgres, type Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import {
  createPrivateDirectory,
  type PrivateDirectory,
} from '@bidmesh/platform/testing/private-directory.ts'
import { startTcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { Code } from '@connectrpc/connect'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  countsFor,
  failureOf,
  placeBid,
  publishBid,
  putItem,
  rejectsCommands,
  serves,
  startWorld as startWorldOn,
} from './testing/all-components.ts'

const log = { info: () => undefined, warn: () => undefined }
let directory: PrivateDirectory
let postgres: EmbeddedPostgres
let admin: Sql
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  directory = await createPrivateDirectory()
  postgres = await startServer('postgres')
  admin = connectPostgres(postgres.url('postgres'), { max: 1, applicationName: 'test' })
})
afterAll(async () => {
  await admin?.end({ timeout: 1 })
  await directory?.remove()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

let names = { bid: '', stats: '' }
beforeEach(async () => {
  const id = randomUUID().slice(0, 8)
  names = { bid: `bid_${id}`, stats: `stats_${id}` }
  for (const name of Object.values(names)) await ensureDatabase(postgres.url('postgres'), name)
})

async function startServer(name: string, port?: number): Promise<EmbeddedPostgres> {
  const dataDir = path.join(directory.path, name)
  const server = await startEmbeddedPostgres({ dataDir, log, ...(port !== undefined && { port }) })
  await directory.reap(name, server.pid, 'QUIT')
  return server
}

const startWorld = (url: (name: string) => string) => startWorldOn(names, url, cleanups)

test('a database that takes reads only for a while', async () => {
  const world = await startWorld(postgres.url)
  const { id } = await putItem(world)
  await placeBid(world, id)
  cleanups.push(async () => {
    await admin`ALTER SYSTEM RESET default_transaction_read_only`
    await admin`SELECT pg_reload_conf()`
  })
  await admin`ALTER SYSTEM SET default_transaction_read_only = on`
  await admin`SELECT pg_reload_conf()`
  await eventually(async () =>
    expect(await failureOf(placeBid(world, id))).toMatchObject({ code: Code.Unavailable }),
  )
  await rejectsCommands(world, id)
  const published = publishBid(world, 'zoe')
  await eventually(async () => {
    const reads = expect.stringMatching(/reads only/)
    expect(await world.components()).toMatchObject({
      bid: reads,
      auctioneer: reads,
      relay: reads,
      stats: reads,
      live: 'ok',
    })
  })
  // Reading goes on.
  expect((await world.bids.getItem({ id })).item?.sequence).toBeGreaterThan(0n)
  await admin`ALTER SYSTEM RESET default_transaction_read_only`
  await admin`SELECT pg_reload_conf()`
  await serves(world, id)
  await published
  await countsFor(world, 'zoe', 1n)
})

test('tables that are missing for a while', async () => {
  const world = await startWorld(postgres.url)
  const { id } = await putItem(world)
  await placeBid(world, id)
  await countsFor(world, 'ann', 1n)

  await world.statsSql`ALTER TABLE inbox_events RENAME TO away`
  const published = publishBid(world, 'zoe')
  await eventually(async () => {
    expect(await world.components()).toMatchObject({
      stats: expect.stringMatching(/table inbox_events missing/),
    })
  })
  expect(world.broker.deadLetters()).toEqual([])
  await world.statsSql`ALTER TABLE away RENAME TO inbox_events`
  await published
  await countsFor(world, 'zoe', 1n)

  for (const table of ['items', 'outbox']) {
    await world.bidSql`ALTER TABLE ${world.bidSql(table)} RENAME TO away`
    const refused = await failureOf(placeBid(world, id))
    expect(refused.code).toBe(Code.Unavailable)
    expect(refused.findDetails(BidRejectionSchema)).toHaveLength(1)
    expect((await failureOf(putItem(world))).code).toBe(Code.Unavailable)
    await eventually(async () => {
      const missing = expect.stringMatching(new RegExp(`table ${table} missing`))
      expect(await world.components()).toMatchObject({ bid: missing, auctioneer: missing })
    })
    await world.bidSql`ALTER TABLE away RENAME TO ${world.bidSql(table)}`
  }
  await serves(world, id)
})

test('columns that are added while everything runs go unnoticed', async () => {
  const world = await startWorld(postgres.url)
  const { id } = await putItem(world)
  const useAll = async () => {
    await placeBid(world, id)
    await world.bids.updateItem({ id, userId: 'sam', title: 'Lamps' })
    await world.bids.getItem({ id })
    await world.bids.listItems({ query: 'lamp' })
    await world.bids.getItemBids({ itemId: id })
    await world.bids.listUserBids({ userId: 'ann' })
    await world.live.listTopBids({ itemId: id })
    await world.live.getPriceHistory({ itemId: id })
    await world.stats.getUserStats({ userId: 'ann' })
    await world.stats.getItemStats({ itemId: id })
    await world.stats.listTopBidders({ itemId: id })
    await world.stats.listTopBidders({})
    await publishBid(world, 'zoe')
    return (await world.bids.getItem({ id })).item
  }
  // Often enough that every pooled connection has its statements prepared.
  for (let n = 0; n < 8; n += 1) await Promise.all([useAll(), sleep(10)])
  const bidTables = ['items', 'bids', 'outbox']
  for (const table of bidTables)
    await world.bidSql`ALTER TABLE ${world.bidSql(table)} ADD COLUMN added int`
  for (const table of [
    'inbox_events',
    'user_stats',
    'user_amounts',
    'item_stats',
    'user_items',
    'market_activity',
  ])
    await world.statsSql`ALTER TABLE ${world.statsSql(table)} ADD COLUMN added int`
  for (let n = 9; n <= 16; n += 1) expect(await useAll()).toMatchObject({ sequence: BigInt(n) })
  await serves(world, id)
  await countsFor(world, 'zoe', 16n)
})

test('settings of the server, the database and the role stay out of the values', async () => {
  const settings = {
    bytea_output: 'escape',
    DateStyle: 'German',
    TimeZone: 'Asia/Kathmandu',
    standard_conforming_strings: 'off',
    array_nulls: 'off',
    extra_float_digits: '-10',
    default_transaction_isolation: 'serializable',
    lock_timeout: '1ms',
    statement_timeout: '1s',
  }
  for (const name of Object.values(names)) {
    for (const [setting, value] of Object.entries(settings))
      await admin`ALTER DATABASE ${admin(name)} SET ${admin(setting)} = ${admin.unsafe(`'${value}'`)}`
  }
  await admin`ALTER ROLE postgres SET IntervalStyle = 'sql_standard'`
  cleanups.push(() => admin`ALTER ROLE postgres RESET IntervalStyle`)
  const world = await startWorld(postgres.url)
  const created = await putItem(world)
  const { bid } = await placeBid(world, created.id)
  const { item } = await world.bids.getItem({ id: created.id })
  expect(item?.endAt).toEqual(created.endAt)
  expect(Math.abs(timestampMs(bid?.createdAt ?? timestampFromMs(0)) - Date.now())).toBeLessThan(
    60_000,
  )
  // Two bids without a key by one user are two bids.
  for (let n = 0; n < 2; n += 1) await placeBid(world, created.id, 'bob', false)
  await countsFor(world, 'bob', 2n)
  const { stats } = await world.stats.getUserStats({ userId: 'ann' })
  expect(stats).toMatchObject({ totalBids: 1n, lastBidAt: bid?.createdAt })
  await serves(world, created.id)
})

test('a standby takes over, while connections to the old server stay open', async () => {
  const old = await startServer('old')
  for (const name of Object.values(names)) await ensureDatabase(old.url('postgres'), name)
  const proxy = await startTcpProxy(old.url('postgres'))
  cleanups.push(proxy.close)
  const through = (name: string) => {
    const url = new URL(proxy.url)
    url.pathname = `/${name}`
    return url.href
  }
  const world = await startWorld(through)
  const { id } = await putItem(world)
  await placeBid(world, id)
  await countsFor(world, 'ann', 1n)

  // Both are standbys now, of the same state; nobody has been promoted yet.
  await old.stop()
  const dirs = ['old', 'new'].map((name) => path.join(directory.path, name))
  await cp(dirs[0] ?? '', dirs[1] ?? '', { recursive: true })
  for (const dir of dirs) await writeFile(path.join(dir, 'standby.signal'), '')
  await startServer('old', old.port)
  const next = await startServer('new')
  await eventually(async () => {
    const standby = expect.stringMatching(/standby/)
    expect(await world.components()).toMatchObject({
      bid: standby,
      relay: standby,
      stats: standby,
      live: expect.stringMatching(/unavailable/),
    })
  })
  await rejectsCommands(world, id)

  proxy.redirect(next.url('postgres'))
  const nextAdmin = connectPostgres(next.url('postgres'), { max: 1, applicationName: 'test' })
  cleanups.push(() => nextAdmin.end({ timeout: 1 }))
  await nextAdmin`SELECT pg_promote()`
  await serves(world, id)
  // Every connection has come over: also the readers, of whom the old server would have liked to keep some.
  const { bid } = await placeBid(world, id)
  await eventually(async () => {
    const { bids } = await world.live.listTopBids({ itemId: id })
    expect(bids[0]?.amount).toBe(bid?.amount)
  })
})
