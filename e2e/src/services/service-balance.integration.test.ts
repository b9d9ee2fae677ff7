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
import { type BidmeshProcess, createBidmeshProcess } from '@bidmesh/stack/bidmesh-process.ts'
import { type Client, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repository } from '../repository.ts'

const CALLERS = 24
/** Of so many calls a share is measured: a process that stood still for a moment has its turns again meanwhile. */
const MEASURED_CALLS = 3_000
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

/** Reads without a pause while `during` lasts, or until as many calls were made as a share is measured of. */
async function underLoad(itemId: string, during?: () => Promise<unknown>): Promise<Load> {
  const load: Load = { failures: [], slowestMs: 0, calls: 0 }
  const startMs = performance.now()
  let isOver = false
  const callers = Array.from({ length: CALLERS }, async () => {
    while (during ? !isOver : load.calls < MEASURED_CALLS) {
      const askedMs = performance.now()
      load.calls += 1
      await bids.getItem({ id: itemId }).catch((error: unknown) => {
        load.failures.push({ afterMs: performance.now() - startMs, reason: messageOf(error) })
      })
      load.slowestMs = Math.max(load.slowestMs, performance.now() - askedMs)
    }
  })
  await during?.().finally(() => (isOver = true))
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

/** Each has its share of the calls: counted before the first and after the last, while none is under way. */
async function expectEven(itemId: string, count: number): Promise<void> {
  const before = await answered()
  const { calls, failures } = await underLoad(itemId)
  const found = (await answered()).map((counted, index) => counted - (before[index] ?? 0))
  expect(failures).toEqual([])
  expect(found).toHaveLength(count)
  for (const counted of found) {
    expect((counted / calls) * count).toBeGreaterThan(0.8)
    expect((counted / calls) * count).toBeLessThan(1.2)
  }
}

it(
  'asks all alike, does without one that was killed, and asks one that was added',
  { timeout: 180_000 },
  async () => {
    const { item } = await bids.createItem({
      title: 'Lamp',
      startPrice: 100n,
      endAt: timestampFromMs(Date.now() + 3_600_000),
      sellerId: 'sam',
    })
    const itemId = item?.id ?? ''

    await expectEven(itemId, 3)

    const [, victim] = processes
    const killed = await underLoad(itemId, async () => {
      await victim?.kill9()
      await sleep(NOTICED_MS)
      // By now the name says so too.
      if (victim) told.delete(victim)
      await sleep(NOTICED_MS)
    })
    expect(killed.failures.filter(({ afterMs }) => afterMs > NOTICED_MS)).toEqual([])
    expect(killed.slowestMs).toBeLessThan(ANSWERED_MS)
    await expectEven(itemId, 2)

    const added = await underLoad(itemId, async () => {
      await startBid()
      await sleep(NOTICED_MS)
    })
    expect(added.failures).toEqual([])
    await expectEven(itemId, 3)
    process.stdout.write(
      `${killed.calls} + ${added.calls} calls; after the kill ${killed.failures.length} failed, the slowest took ${Math.round(killed.slowestMs)} ms\n`,
    )
  },
)
