/** ItemSourceService as other services get it. */
import { timestampDate, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemSourceService } from '@bidmesh/gen/bids/v1/item_source_service_pb.ts'
import { packedIds } from '@bidmesh/platform/rpc/packed-ids.ts'
import { connectService, type ServiceClient } from '@bidmesh/platform/rpc/service-client.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { type Client, Code, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { migrationsDirectory, startBid } from './bid-component.ts'
import { evenly } from './item-source.ts'

const nowhere = '018f0000-0000-7000-8000-000000000000'

let database: TestDatabase
let server: Server
let connection: ServiceClient
let bids: Client<typeof BidService>
let source: Client<typeof ItemSourceService>

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const { signal } = new AbortController()
  const options = { databaseUrl: database.url, redisUrl: undefined, log: quietLog, signal }
  server = await startTestServer([await startBid({ ...options, lanes: 1 })])
  connection = connectService('bid', [server.url])
  bids = createClient(BidService, connection.transport)
  source = createClient(ItemSourceService, connection.transport)
})

afterAll(async () => {
  connection.close()
  await server.stop()
  await database.drop()
})

async function putItem(changes: Parameters<typeof bids.createItem>[0] = {}): Promise<string> {
  const { item } = await bids.createItem({
    title: 'Lamp',
    description: 'brass',
    sellerId: 'sam',
    startPrice: 100n,
    minIncrement: 1n,
    endAt: timestampFromMs(Date.now() + 3_600_000),
    ...changes,
  })
  return item?.id ?? ''
}

it('items come whole, as GetItem tells them, and unknown ones are left out', async () => {
  const id = await putItem()
  const { items } = await source.batchGetItems({ itemIds: [nowhere, id] })
  const { item } = await bids.getItem({ id })
  expect(items).toEqual([item])
  expect(await source.batchGetItems({})).toMatchObject({ items: [] })
})

it('versions come in the order asked for, with the time, as they are after each change', async () => {
  const ids = [await putItem(), await putItem()]
  await bids.placeBid({ itemId: ids[1] ?? '', userId: 'ann', amount: 100n })
  const asked = packedIds([ids[1] ?? '', nowhere, ids[0] ?? ''])
  const { versions, time } = await source.batchGetVersions({ itemIds: asked })
  expect(versions).toEqual([2n, 0n, 1n])
  expect(Math.abs((time ? timestampDate(time).getTime() : 0) - Date.now())).toBeLessThan(2_000)
})

it('a thousand versions fit, more do not, nor half an id', async () => {
  const ids = (count: number) => packedIds(Array.from({ length: count }, () => nowhere))
  const { versions } = await source.batchGetVersions({ itemIds: ids(1_000) })
  expect(versions).toHaveLength(1_000)
  const refused = { code: Code.InvalidArgument }
  for (const itemIds of [ids(1_001), ids(1).subarray(1)])
    await expect(source.batchGetVersions({ itemIds })).rejects.toMatchObject(refused)
})

it('open items are found by what they are, those that end soonest first', async () => {
  const sellerId = 'open seller'
  const endAt = (inMs: number) => timestampFromMs(Date.now() + inMs)
  const later = await putItem({ sellerId, category: 'art', endAt: endAt(7_200_000) })
  const startAt = endAt(60_000)
  const scheduled = await putItem({ sellerId, startAt, endAt: endAt(3_600_000) })
  const cancelled = await putItem({ sellerId })
  await bids.cancelItem({ id: cancelled, userId: sellerId })
  const found = async (category: string, limit: number) =>
    (await source.findOpenItems({ category, sellerId, limit })).itemIds
  expect(await found('', 10)).toEqual([scheduled, later])
  expect(await found('', 1)).toEqual([scheduled])
  expect(await found('art', 10)).toEqual([later])
})

it('the highest bid of each leading bidder, and bids over time', async () => {
  const itemId = await putItem()
  expect(await source.listTopBids({ itemId, maxBidders: 3 })).toMatchObject({ bids: [] })
  const bidders = ['ann', 'bob', 'ann', 'cat', 'dan', 'dan', 'cat']
  for (const [index, userId] of bidders.entries())
    await bids.placeBid({ itemId, userId, amount: 100n + BigInt(index) })
  const top = await source.listTopBids({ itemId, maxBidders: 3 })
  expect(top.bids.map(({ userId, amount }) => [userId, amount])).toEqual([
    ['cat', 106n],
    ['dan', 105n],
    ['ann', 102n],
  ])
  const sample = await source.sampleBids({ itemId, maxBids: 3 })
  expect(sample).toMatchObject({ startPrice: 100n, currency: 'USD' })
  expect(sample.bids.map(({ sequence }) => sequence)).toEqual([1n, 4n, 7n])
  const missing = { code: Code.NotFound }
  await expect(source.listTopBids({ itemId: nowhere, maxBidders: 1 })).rejects.toMatchObject(
    missing,
  )
  await expect(source.sampleBids({ itemId: nowhere, maxBids: 2 })).rejects.toMatchObject(missing)
})

it('numbers evenly apart have both ends', () => {
  expect(evenly(3, 5)).toEqual([1, 2, 3])
  expect(evenly(10, 4)).toEqual([1, 4, 7, 10])
  expect(evenly(1_000, 2)).toEqual([1, 1_000])
})
