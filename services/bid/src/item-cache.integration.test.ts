/** The cache may be wrong in no way but one: by not knowing. */
import { randomUUID } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { type Item, ItemSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { connectRedis, type Redis } from '@bidmesh/platform/redis/redis.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { createItemCache, type ItemCache } from './item-cache.ts'

let redis: Redis
let cache: ItemCache

beforeAll(async () => {
  const keyPrefix = `${randomUUID()}:`
  redis = await connectRedis(inject('redisUrl'), { log: quietLog, keyPrefix })
  await eventually(() => redis.status === 'ready')
  cache = createItemCache(redis)
})

afterAll(() => redis.disconnect())

const itemOf = (id: string, version: bigint): Item =>
  create(ItemSchema, { id, version, title: `as of ${version}` })

async function offered(item: Item): Promise<void> {
  cache.offer(item)
  // In order on one connection: once this is answered, so is the offer.
  await redis.exists('anything')
}

it('gives back what was offered', async () => {
  const item = itemOf(randomUUID(), 3n)
  expect(await cache.get(item.id)).toBeUndefined()
  await offered(item)
  expect(await cache.get(item.id)).toEqual(item)
})

it('never replaces a newer copy by an older one', async () => {
  const id = randomUUID()
  await offered(itemOf(id, 5n))
  await offered(itemOf(id, 4n))
  expect((await cache.get(id))?.version).toBe(5n)
})

it('forgets a copy when a change is under way, and lets no older one in after', async () => {
  const id = randomUUID()
  await offered(itemOf(id, 5n))
  await cache.invalidate(new Map([[id, 6n]]))
  expect(await cache.get(id)).toBeUndefined()
  // A reader that had read before the commit comes late.
  await offered(itemOf(id, 5n))
  expect(await cache.get(id)).toBeUndefined()
  await offered(itemOf(id, 6n))
  expect((await cache.get(id))?.version).toBe(6n)
})

it('keeps a newer copy when an older change reports late', async () => {
  const id = randomUUID()
  await offered(itemOf(id, 8n))
  await cache.invalidate(new Map([[id, 7n]]))
  expect((await cache.get(id))?.version).toBe(8n)
})

it('knows nothing, and fails nothing, when Redis is gone or holds nonsense', async () => {
  const id = randomUUID()
  await redis.hset(`item:${id}`, 'version', '1', 'item', 'not a protobuf')
  expect(await cache.get(id)).toBeUndefined()

  const unavailable = await connectRedis('redis://127.0.0.1:1', { log: quietLog })
  const without = createItemCache(unavailable)
  expect(await without.get(id)).toBeUndefined()
  without.offer(itemOf(id, 1n))
  await without.invalidate(new Map([[id, 2n]]))
  unavailable.disconnect()
})
