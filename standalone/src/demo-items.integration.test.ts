/** Demo items come when nothing is open, on the first start and on any later one. */
import { startBid } from '@bidmesh/bid/bid-component.ts'
import { type BidmeshClient, createBidmeshClient } from '@bidmesh/client'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { putUpDemoItems } from './demo-items.ts'

let database: TestDatabase
let server: Server
let bids: BidmeshClient['bids']

beforeAll(async () => {
  database = await createTestDatabase()
  const bid = await startBid({
    databaseUrl: database.url,
    redisUrl: undefined,
    lanes: 1,
    log: quietLog,
    signal: new AbortController().signal,
  })
  server = await startTestServer([bid])
  bids = createBidmeshClient({ baseUrl: server.url }).bids
})

afterAll(async () => {
  await server.stop()
  await database.drop()
})

it('are put up in an empty store, not beside open items, and again when all have ended', async () => {
  expect(await putUpDemoItems(bids)).toBe(10)
  expect(await putUpDemoItems(bids)).toBe(0)
  const { items } = await bids.listItems({ pageSize: 100 })
  const [last, ...others] = items
  for (const { id, sellerId } of others) await bids.cancelItem({ id, userId: sellerId })
  expect(await putUpDemoItems(bids)).toBe(0)
  await bids.cancelItem({ id: last?.id ?? '', userId: last?.sellerId ?? '' })
  expect(await putUpDemoItems(bids)).toBe(10)
})
