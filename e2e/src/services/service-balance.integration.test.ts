/** One service that asks another of three processes, of which one is killed and one is added, under load. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { progressOnStderr } from '@bidmesh/platform/process/progress-log.ts'
import { connectService } from '@bidmesh/platform/rpc/service-client.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { type BidmeshProcess, createBidmeshProcess } from '@bidmesh/stack/bidmesh-process.ts'
import { type Client, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repository } from '../repository.ts'

const CALLERS = 24
/** Of so many calls a share is measured, however busy the machine is. */
const MEASURED_CALLS = 600
/** A process that was killed, or has come, is noticed within this. */
const NOTICED_MS = 3_000
/** Longer than a call may take with all its tries. */
const ANSWERED_MS = 4_500

let database: TestDatabase
const processes: BidmeshProcess[] = []
/** What the name leads to: as DNS does, it tells of what was killed for a while. */
const told = new Set<BidmeshProcess>()
let bids: Client<typeof BidService>
let close: () => void

async function startBid(): Promise<BidmeshProcess> {
  const port = await freePort()
  const started = createBidmeshProcess({
    name: `bid-${processes.length + 1}`,
    main: join(repository, 'services/bid/src/main.ts'),
    port,
    env: { DATABASE_URL: database.url, AUTH_MODE: 'trusted', LANES: '1', LOG_LEVEL: 'warn' },
    log: progressOnStderr('balance'),
  })
  processes.push(started)
  await started.start()
  told.add(started)
  return started
}

beforeAll(async () => {
  database = await createTestDatabase()
  for (let count = 0; count < 3; count += 1) await startBid()
  const resolve = async () =>
    [...told].map(({ url }) => ({ host: '127.0.0.1', port: Number(new URL(url).port) }))
  const service = connectService('bid', ['http://localhost'], { resolve })
  close = service.close
  bids = createClient(BidService, service.transport)
})

afterAll(async () => {
  close()
  await Promise.all(processes.map((each) => each.stop()))
  await database.drop()
})

type Load = { failures: { afterMs: number; reason: string }[]; slowestMs: number; calls: number }

/** Reads without a pause while `during` lasts. */
async function underLoad(itemId: string, during: () => Promise<unknown>): Promise<Load> {
  const load: Load = { failures: [], slowestMs: 0, calls: 0 }
  const startMs = performance.now()
  let isOver = false
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!isOver) {
      const askedMs = performance.now()
      await bids.getItem({ id: itemId }).catch((error: unknown) => {
        load.failures.push({ afterMs: performance.now() - startMs, reason: messageOf(error) })
      })
      load.calls += 1
      load.slowestMs = Math.max(load.slowestMs, performance.now() - askedMs)
    }
  })
  await during()
  isOver = true
  await Promise.all(callers)
  return load
}

/** Calls that each has answered, by its own count. */
async function answered(): Promise<number[]> {
  return await Promise.all(
    [...told].map(async ({ url }) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      const counts = text.matchAll(
        /^bidmesh_rpc_duration_count\{.*procedure="bids\.v1\.BidService\/GetItem".*\} (\d+)/gm,
      )
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
    }),
  )
}

/** Of what was answered meanwhile, the share of each. */
async function shares(): Promise<number[]> {
  const before = await answered()
  return await eventually(async () => {
    const counts = (await answered()).map((count, index) => count - (before[index] ?? 0))
    const all = counts.reduce((sum, count) => sum + count, 0)
    expect(all).toBeGreaterThan(MEASURED_CALLS)
    return counts.map((count) => count / all)
  })
}

function expectEven(found: readonly number[], count: number): void {
  expect(found).toHaveLength(count)
  for (const share of found) {
    expect(share * count).toBeGreaterThan(0.8)
    expect(share * count).toBeLessThan(1.2)
  }
}

it('asks all alike, does without one that was killed, and asks one that was added', async () => {
  const { item } = await bids.createItem({
    title: 'Lamp',
    startPrice: 100n,
    endAt: timestampFromMs(Date.now() + 3_600_000),
    sellerId: 'sam',
  })
  const itemId = item?.id ?? ''

  const calm = await underLoad(itemId, async () => expectEven(await shares(), 3))
  expect(calm.failures).toEqual([])

  const [, victim] = processes
  const killed = await underLoad(itemId, async () => {
    await victim?.kill9()
    await sleep(NOTICED_MS)
    // By now the name says so too.
    if (victim) told.delete(victim)
    await sleep(NOTICED_MS)
    expectEven(await shares(), 2)
  })
  expect(killed.failures.filter(({ afterMs }) => afterMs > NOTICED_MS)).toEqual([])
  expect(killed.slowestMs).toBeLessThan(ANSWERED_MS)

  const added = await underLoad(itemId, async () => {
    await startBid()
    await sleep(NOTICED_MS)
    expectEven(await shares(), 3)
  })
  expect(added.failures).toEqual([])
  process.stdout.write(
    `${calm.calls} + ${killed.calls} + ${added.calls} calls; after the kill ${killed.failures.length} failed, the slowest took ${Math.round(killed.slowestMs)} ms\n`,
  )
})
