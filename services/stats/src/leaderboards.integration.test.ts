/**
 * Redis ranks exactly as Postgres does, or says that it cannot: with ties, after its keys are gone, after
 * writes it never got, and while it is unavailable.
 */
import { randomUUID } from 'node:crypto'
import { connectRedis, type Redis, redisUp } from '@bidmesh/platform/redis/redis.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { startTcpProxy, type TcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import { createLeaderboards, type Leaderboards, noLeaderboards } from './leaderboards.ts'
import { projectEvents } from './project-events.ts'
import { listTopBidders } from './queries.ts'
import type { Standing } from './standings.ts'
import { migrationsDirectory } from './stats-component.ts'
import { bidEvent, endEvent, testBid } from './test-events.ts'

const rankings = [
  { order: 'bids', currency: '', ranking: 'bids' },
  { order: 'won', currency: '', ranking: 'won' },
  { order: 'amount', currency: 'USD', ranking: 'amount:USD' },
  { order: 'amount', currency: 'EUR', ranking: 'amount:EUR' },
] as const
const limits = [1, 2, 3, 10, 100]
const byBids = { order: 'bids', currency: '', limit: 5 } as const

const cleanups: (() => unknown)[] = []
let database: TestDatabase
let keyPrefix: string
/** Keeps looking while the replicas' connections are cut. */
let redis: Redis
beforeEach(async () => {
  database = await createTestDatabase(migrationsDirectory)
  cleanups.push(database.drop)
  keyPrefix = `test:${randomUUID()}:`
  redis = await connectRedis(inject('redisUrl'), { log: quietLog, keyPrefix })
  cleanups.push(async () => {
    await forget()
    redis.disconnect()
  })
  await eventually(() => redisUp(redis))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** What a flush does to our keys. */
async function forget(): Promise<void> {
  const keys = await redis.keys(`${keyPrefix}*`)
  if (keys.length > 0) await redis.del(...keys.map((key) => key.slice(keyPrefix.length)))
}

async function replica(url = inject('redisUrl')) {
  const client = await connectRedis(url, { log: quietLog, keyPrefix })
  cleanups.push(() => client.disconnect())
  await eventually(() => redisUp(client))
  return { client, leaderboards: createLeaderboards(client, database.sql, quietLog) }
}

async function proxied(): Promise<TcpProxy> {
  const proxy = await startTcpProxy(inject('redisUrl'))
  cleanups.push(proxy.close)
  return proxy
}

type Bid = [userId: string, amount: bigint, currency?: string]

async function bid(leaderboards: Leaderboards, ...bids: Bid[]) {
  const events = bids.map(([userId, amount, currency = 'USD']) =>
    bidEvent(testBid({ userId, amount, currency })),
  )
  await leaderboards.update((await projectEvents(database.session, events)).standings)
}

/** The same answers from both, and Redis really was asked. */
async function expectRedisToAgree(leaderboards: Leaderboards): Promise<void> {
  for (const { ranking, order, currency } of rankings) {
    for (const limit of limits) {
      const options = { order, currency, limit }
      const byPostgres = await listTopBidders(database.sql, noLeaderboards, options)
      const users = byPostgres.map(({ userId }) => userId)
      expect(await leaderboards.top(ranking, limit), `${ranking} ${limit}`).toEqual(users)
      expect(await listTopBidders(database.sql, leaderboards, options)).toEqual(byPostgres)
    }
  }
}

// Ties in every ranking, among ids that sort differently as UTF-16, as UTF-8 and by a locale.
const crowd: Bid[] = [
  ['zoe', 100n],
  ['Zoe', 100n],
  ['änn', 100n],
  ['ann', 50n],
  ['ann', 50n],
  ['\u{ff5e}', 30n],
  ['\u{1f600}', 30n],
  ['bob', 10n ** 15n],
  ['a b', 1n],
  ['änn', 7n, 'EUR'],
  ['Zoe', 7n, 'EUR'],
  ['eva', 8n, 'EUR'],
]

/** Sets that are complete and hold next to nothing: what follows is written to them bid by bid. */
async function begin(leaderboards: Leaderboards): Promise<void> {
  await bid(leaderboards, ['first', 1n], ['first', 1n, 'EUR'])
  await leaderboards.refill()
}

it('ranks like Postgres, ties by user id in byte order', async () => {
  const { leaderboards } = await replica()
  await begin(leaderboards)
  await bid(leaderboards, ...crowd)
  const winner = { userId: 'zoe', amount: 100n }
  const end = endEvent({ itemId: randomUUID(), winner, atMs: 1_000 })
  await leaderboards.update((await projectEvents(database.session, [end])).standings)
  await expectRedisToAgree(leaderboards)
  expect(await leaderboards.top('bids', 3)).toEqual(['Zoe', 'ann', 'first'])
  expect(await leaderboards.top('won', 2)).toEqual(['zoe', 'Zoe'])
})

it('an empty board is empty by both', async () => {
  const { leaderboards } = await replica()
  await leaderboards.refill()
  expect(await leaderboards.top('bids', 10)).toEqual([])
  expect(await leaderboards.top('won', 10)).toEqual([])
  const options = { order: 'amount', currency: '', limit: 10 } as const
  expect(await listTopBidders(database.sql, leaderboards, options)).toEqual([])
})

it('leaves totals beyond 2^53, which its scores cannot tell apart, to Postgres', async () => {
  const { leaderboards } = await replica()
  await begin(leaderboards)
  const most = Array.from({ length: 10 }, (): Bid => ['ann', 10n ** 15n])
  await bid(leaderboards, ...most, ...most.map(([, amount]): Bid => ['zoe', amount]))
  await bid(leaderboards, ['zoe', 1n], ['bob', 5n])
  expect(await leaderboards.top('amount:USD', 1)).toBeUndefined()
  const byAmount = { order: 'amount', currency: 'USD' } as const
  const [first] = await listTopBidders(database.sql, leaderboards, { ...byAmount, limit: 1 })
  expect(first?.userId).toBe('zoe')
  // A last place that is exact makes the set of leaders exact.
  expect(await leaderboards.top('amount:USD', 3)).toHaveLength(3)
  const three = await listTopBidders(database.sql, leaderboards, { ...byAmount, limit: 3 })
  expect(three.map(({ userId }) => userId)).toEqual(['zoe', 'ann', 'bob'])
})

it('the first bid in a currency has a set of its own from the next refill on', async () => {
  const { leaderboards } = await replica()
  await begin(leaderboards)
  await bid(leaderboards, ['ann', 5n, 'JPY'], ['bob', 9n, 'JPY'])
  expect(await leaderboards.top('amount:JPY', 10)).toBeUndefined()
  expect(await leaderboards.top('amount:EUR', 10)).toEqual(['first'])
  await leaderboards.refill()
  expect(await leaderboards.top('amount:JPY', 10)).toEqual(['bob', 'ann'])
  await bid(leaderboards, ['ann', 5n, 'JPY'])
  expect(await leaderboards.top('amount:JPY', 10)).toEqual(['ann', 'bob'])
  await expectRedisToAgree(leaderboards)
})

it('who names no currency gets the one most users have bid in', async () => {
  const { leaderboards } = await replica()
  await bid(leaderboards, ['ann', 5n, 'JPY'], ['bob', 900n], ['bob', 900n], ['eva', 4n, 'JPY'])
  const options = { order: 'amount', currency: '', limit: 10 } as const
  const leaders = await listTopBidders(database.sql, leaderboards, options)
  expect(leaders.map(({ userId }) => userId)).toEqual(['ann', 'eva'])
})

it('an older total that comes late does not replace a newer one', async () => {
  const { leaderboards } = await replica()
  await begin(leaderboards)
  await bid(leaderboards, ['ann', 1n], ['bob', 5n])
  const old: Standing = { ranking: 'amount:USD', userId: 'ann', total: 1n }
  await bid(leaderboards, ['ann', 9n])
  await leaderboards.update([old])
  expect(await leaderboards.top('amount:USD', 1)).toEqual(['ann'])
  await expectRedisToAgree(leaderboards)
})

it('without its keys Postgres ranks, until a refill', async () => {
  const { leaderboards } = await replica()
  await leaderboards.refill()
  await bid(leaderboards, ...crowd)
  await forget()
  // A batch after the loss makes a set that is not complete.
  await bid(leaderboards, ['new', 77n])
  for (const { ranking, order, currency } of rankings) {
    expect(await leaderboards.top(ranking, 10)).toBeUndefined()
    const options = { order, currency, limit: 10 }
    expect(await listTopBidders(database.sql, leaderboards, options)).toEqual(
      await listTopBidders(database.sql, noLeaderboards, options),
    )
  }
  await leaderboards.refill()
  await expectRedisToAgree(leaderboards)
})

it('a set that Redis evicted alone is not taken for an empty board, nor for a whole one', async () => {
  const { leaderboards } = await replica()
  await leaderboards.refill()
  await bid(leaderboards, ...crowd)
  await redis.del('{leaders}:bids')
  expect(await leaderboards.top('bids', 10)).toBeUndefined()
  // The next batch makes the set anew, with a few of its users.
  await bid(leaderboards, ['ann', 1n])
  expect(await leaderboards.top('bids', 10)).toBeUndefined()
  await leaderboards.refill()
  await expectRedisToAgree(leaderboards)
})

it('a refill takes away what is too high', async () => {
  const { leaderboards } = await replica()
  await bid(leaderboards, ...crowd)
  // As from a database that has since been restored from an older backup.
  await leaderboards.update([
    { ranking: 'bids', userId: 'a b', total: 99n },
    { ranking: 'won', userId: 'a b', total: 9n },
    { ranking: 'amount:USD', userId: 'a b', total: 9n * 10n ** 15n },
  ])
  await leaderboards.refill()
  expect(await leaderboards.top('bids', 1)).toEqual(['Zoe'])
  await expectRedisToAgree(leaderboards)
})

it('one replica refills, all use it', async () => {
  const { leaderboards: one } = await replica()
  await bid(one, ...crowd)
  await forget()
  const others = [await replica(), await replica()].map(({ leaderboards }) => leaderboards)
  const refills: string[] = []
  const monitor = await watch('{leaders}:ready', refills)
  await Promise.all([one, ...others].map((each) => each.refill()))
  await Promise.all([one, ...others].map((each) => expectRedisToAgree(each)))
  await monitor()
  expect(refills).toHaveLength(1)
})

/** Collects the SETs of a key: `MONITOR` sees what scripts do, too. */
async function watch(key: string, seen: string[]): Promise<() => Promise<void>> {
  const monitor = await redis.monitor()
  cleanups.push(() => monitor.disconnect())
  monitor.on('monitor', (_: string, [command = '', name = '']: string[]) => {
    if (command.toLowerCase() === 'set' && name === `${keyPrefix}${key}`) seen.push(name)
  })
  return async () => {
    const last = `${key}:last`
    await redis.set(last, '1')
    const ended = new Promise<void>((resolve) => {
      monitor.on('monitor', (_: string, [, name]: string[]) => {
        if (name === `${keyPrefix}${last}:end`) resolve()
      })
    })
    await redis.set(`${last}:end`, '1')
    await ended
  }
}

it('more users than one chunk are refilled', async () => {
  const { leaderboards } = await replica()
  await database.sql`
    INSERT INTO user_stats (user_id, total_bids, last_updated_at)
    SELECT 'user-' || n, n % 50, now() FROM generate_series(1, 5000) AS n`
  await database.sql`
    INSERT INTO user_amounts
    SELECT 'user-' || n, (ARRAY['USD', 'EUR'])[1 + n % 2], n % 70, 0, 0 FROM generate_series(1, 5000) AS n`
  await leaderboards.refill()
  await expectRedisToAgree(leaderboards)
  expect(await redis.zcount('{leaders}:bids', '-inf', '(+inf')).toBe(5_000)
})

it('a write Redis never got: nobody trusts it until a refill has mended it', async () => {
  const proxy = await proxied()
  const { url } = proxy
  const { client, leaderboards: cutOff } = await replica(url)
  const { leaderboards: other } = await replica()
  await cutOff.refill()
  await bid(cutOff, ...crowd)
  await proxy.refuse()
  await eventually(() => !redisUp(client))
  await bid(cutOff, ['late', 10n ** 14n])
  expect(await cutOff.top('amount:USD', 10)).toBeUndefined()
  await cutOff.refill()
  await proxy.listen()
  await eventually(() => redisUp(client))
  // The sets still stand, without `late`.
  expect(await cutOff.top('amount:USD', 10)).toBeUndefined()
  await cutOff.refill()
  await expectRedisToAgree(cutOff)
  await expectRedisToAgree(other)
})

it('a refill that may have missed a lost write does not count', async () => {
  const proxy = await proxied()
  const { url } = proxy
  const { client, leaderboards: cutOff } = await replica(url)
  await bid(cutOff, ...crowd)
  await proxy.refuse()
  await eventually(() => !redisUp(client))
  await bid(cutOff, ['late', 10n ** 14n])
  await proxy.listen()
  await eventually(() => redisUp(client))
  // Another's refill under way: it holds the lock, and read its users before `late`.
  await redis.set('{leaders}:refilling', 'another')
  await cutOff.refill()
  expect(await redis.get('{leaders}:refilling')).not.toBe('another')
  await expectRedisToAgree(cutOff)
})

it('a refill whose lock was taken over sets no marker', async () => {
  const { leaderboards } = await replica()
  await bid(leaderboards, ...crowd)
  // Holds the refill at its first chunk.
  const locked = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const blocker = inTransaction(database.url, async (tx) => {
    await tx`LOCK TABLE user_stats IN ACCESS EXCLUSIVE MODE`
    locked.resolve()
    await release.promise
  })
  await locked.promise
  const refill = leaderboards.refill()
  await eventually(() => redis.exists('{leaders}:refilling').then((exists) => exists === 1))
  await redis.set('{leaders}:refilling', 'another')
  release.resolve()
  await Promise.all([refill, blocker])
  expect(await redis.exists('{leaders}:ready')).toBe(0)
  expect(await redis.get('{leaders}:refilling')).toBe('another')
})

it('a Redis that never was there costs nothing but its help', async () => {
  const proxy = await proxied()
  const { url } = proxy
  await proxy.refuse()
  const client = await connectRedis(url, { log: quietLog, keyPrefix })
  cleanups.push(() => client.disconnect())
  const leaderboards = createLeaderboards(client, database.sql, quietLog)
  await leaderboards.refill()
  await bid(leaderboards, ...crowd)
  expect(await leaderboards.top('bids', 5)).toBeUndefined()
  expect(await listTopBidders(database.sql, leaderboards, byBids)).toHaveLength(5)
  await expect(leaderboards.clear()).rejects.toThrow()
})

it('a Redis that does not answer is waited for no longer than its limit', async () => {
  const proxy = await proxied()
  const { url } = proxy
  const { leaderboards } = await replica(url)
  await leaderboards.refill()
  await bid(leaderboards, ...crowd)
  proxy.freeze()
  const leaders = await listTopBidders(database.sql, leaderboards, byBids)
  expect(leaders).toEqual(await listTopBidders(database.sql, noLeaderboards, byBids))
  await bid(leaderboards, ['late', 10n ** 14n])
  proxy.thaw()
  await eventually(async () => {
    await leaderboards.refill()
    await expectRedisToAgree(leaderboards)
  })
})
