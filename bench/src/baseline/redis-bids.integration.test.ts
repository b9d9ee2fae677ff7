/** The script against the rules that it stands for. */
import { randomUUIDv7 } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { checkRedis } from './check-redis.ts'
import {
  bidsKey,
  itemKey,
  outboxKey,
  type PlaceRedisBid,
  putUpRedisItem,
  redisBids,
} from './redis-bids.ts'

let redis: Redis
let place: PlaceRedisBid
let itemId: string

const bid = (userId: string, amount: number) =>
  place({ id: randomUUIDv7(), itemId, userId, amount: String(amount) })

beforeAll(async () => {
  redis = new Redis(inject('redisUrl'), { keyPrefix: `${randomUUIDv7()}:` })
  place = await redisBids(redis)
})

beforeEach(async () => {
  itemId = randomUUIDv7()
  const terms = { sellerId: 'seller', startPrice: 100, minIncrement: 10, durationMs: 60_000 }
  await putUpRedisItem(redis, itemId, terms)
})

afterEach(async () => {
  await redis.del(itemKey(itemId), bidsKey(itemId), outboxKey)
})

afterAll(async () => {
  await redis.quit()
})

describe('a bid in Redis', () => {
  it('needs the start price, and then the increment', async () => {
    expect(await bid('ann', 99)).toMatchObject({ reason: 'TOO_LOW', price: 0, minimum: 100 })
    expect(await bid('ann', 100)).toMatchObject({ reason: '', sequence: 1, minimum: 110 })
    expect(await bid('bob', 109)).toMatchObject({ reason: 'TOO_LOW', price: 100, minimum: 110 })
    expect(await bid('bob', 150)).toMatchObject({ reason: '', sequence: 2, minimum: 160 })
  })

  it.each([
    ['the seller', 'OWN_ITEM', 'seller', {}],
    ['who comes too late', 'ENDED', 'ann', { end_ms: 1 }],
    ['who comes too early', 'NOT_STARTED', 'ann', { start_ms: Date.now() + 50_000 }],
    ['who bids on what has ended', 'ENDED', 'ann', { status: 'ended' }],
    ['who bids on what was cancelled', 'CANCELLED', 'ann', { status: 'cancelled' }],
  ])('is not for %s', async (_, reason, userId, fields) => {
    if (Object.keys(fields).length > 0) await redis.hset(itemKey(itemId), fields)
    expect(await bid(userId, 100)).toMatchObject({ reason })
    expect(await redis.xlen(outboxKey)).toBe(0)
  })

  it('is not for an item that is not there', async () => {
    const other = { id: randomUUIDv7(), itemId: randomUUIDv7(), userId: 'ann', amount: '100' }
    expect(await place(other)).toMatchObject({ reason: 'ITEM_NOT_FOUND' })
  })

  it('is kept with its event, and the check sees when it is not', async () => {
    for (const amount of [100, 110, 120]) await bid(`bidder-${amount}`, amount)
    expect(await checkRedis(redis, [itemId], [])).toEqual([])
    const [last] = await redis.xrevrange(outboxKey, '+', '-', 'COUNT', 1)
    await redis.xdel(outboxKey, last?.[0] ?? '')
    expect(await checkRedis(redis, [itemId], [])).toEqual([
      expect.stringMatching('the outbox tells of 2 bids'),
    ])
  })
})
