/** Callers who leave while the database stands still: what they asked for and nobody has begun is not done. */
import { setTimeout as sleep } from 'node:timers/promises'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTcpProxy, type TcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { migrationsDirectory, startBid } from './bid-component.ts'
import { putItem } from './test-item.ts'

let database: TestDatabase
let proxy: TcpProxy
let server: Server
let bids: Client<typeof BidService>

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  proxy = await startTcpProxy(database.url)
  const component = await startBid({
    databaseUrl: proxy.url,
    redisUrl: undefined,
    lanes: 1,
    log: quietLog,
    signal: new AbortController().signal,
  })
  server = await startTestServer([component])
  bids = createClient(
    BidService,
    createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' }),
  )
})
afterAll(async () => {
  await server.stop()
  await proxy.close()
  await database.drop()
})

const lamp = (title: string) => ({
  title,
  startPrice: 100n,
  endAt: timestampFromMs(Date.now() + 3_600_000),
  sellerId: 'seller',
})

/** Far more than there are connections, each opened for the call. */
const callers = 200

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error === undefined ? undefined : ConnectError.from(error).code
}

/** Calls that all leave soon, while nothing reaches the database; resolves when it does again. */
async function abandon(call: (signal: AbortSignal, n: number) => Promise<unknown>): Promise<void> {
  const leaving = new AbortController()
  proxy.freeze()
  const calls = Array.from({ length: callers }, (_, n) => codeOf(call(leaving.signal, n)))
  // Long enough for all of them to have arrived, and to stand in a queue.
  await sleep(500)
  leaving.abort()
  expect(new Set(await Promise.all(calls))).toEqual(new Set([Code.Canceled]))
  await sleep(100)
  proxy.thaw()
}

it('commands of callers who have left are not carried out', async () => {
  await bids.createItem(lamp('before'))
  await abandon((signal) => bids.createItem(lamp('abandoned'), { signal }))
  // Behind whatever was still to come.
  await bids.createItem(lamp('after'))
  const rows = await database.sql`SELECT title FROM items ORDER BY id`
  expect(rows.map((row) => row['title'])).toEqual(['before', 'after'])
})

it('bids of callers who have left are not decided, even when their batch had begun', async () => {
  const { itemId } = await putItem(database.session)
  await bids.placeBid({ itemId, amount: 100n, userId: 'first' })
  await abandon((signal, n) =>
    bids.placeBid({ itemId, amount: 101n + BigInt(n), userId: `left-${n}` }, { signal }),
  )
  const { bid } = await bids.placeBid({ itemId, amount: 1_000n, userId: 'last' })
  expect(bid?.sequence).toBe(2n)
})

it('a deadline that passes in a queue is answered when it does', async () => {
  proxy.freeze()
  try {
    const startedMs = performance.now()
    const calls = Array.from({ length: callers }, () =>
      codeOf(bids.createItem(lamp('late'), { timeoutMs: 300 })),
    )
    expect(new Set(await Promise.all(calls))).toEqual(new Set([Code.DeadlineExceeded]))
    expect(performance.now() - startedMs).toBeLessThan(3_000)
  } finally {
    proxy.thaw()
  }
  await eventually(() => bids.createItem(lamp('again')))
})
