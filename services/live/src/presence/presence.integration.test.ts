/** One contract, with Redis and without; then what only several replicas and a Redis that becomes unavailable show. */
import { randomUUID } from 'node:crypto'
import { connectRedis, redisUp } from '@bidmesh/platform/redis/redis.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, describe, expect, inject, it, vi } from 'vitest'
import { createRedisPresence, presenceKey } from './presence-redis.ts'
import { createLocalPresence, type Presence } from './presence.ts'

/** Short, so that a dead replica is not waited for; the ratio is that of the real ones. */
const heartbeatMs = 200
const ttlMs = 600

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

type Replica = { presence: Presence; told: (itemId: string) => number[] }

function replicaOf(
  create: (onCount: (itemId: string, count: number) => void) => Presence,
): Replica {
  const all: [itemId: string, count: number][] = []
  const presence = create((itemId, count) => all.push([itemId, count]))
  cleanups.push(() => presence.close())
  return {
    presence,
    told: (itemId) => all.filter(([of]) => of === itemId).map(([, count]) => count),
  }
}

async function connect(url = inject('redisUrl')) {
  const redis = await connectRedis(url, { log: quietLog })
  cleanups.push(() => redis.disconnect())
  return redis
}

/** For replicas that are to keep silent unless something changes. */
const slow = { heartbeatMs: 60_000, ttlMs: 180_000 }

async function startReplica(
  keyPrefix = `test:${randomUUID()}:`,
  url = inject('redisUrl'),
  timing = { heartbeatMs, ttlMs },
) {
  const redis = await connect(url)
  const replica = replicaOf((onCount) =>
    createRedisPresence({ redis, log: quietLog, keyPrefix, onCount, ...timing }),
  )
  return { ...replica, redis, keyPrefix }
}

async function startTwo() {
  const near = await startReplica()
  const far = await startReplica(near.keyPrefix)
  const itemId = randomUUID()
  return { near, far, itemId, key: `${near.keyPrefix}${presenceKey(itemId)}` }
}

async function both(replicas: Replica[], itemId: string, count: number): Promise<void> {
  await eventually(() =>
    expect(replicas.map(({ presence }) => presence.count(itemId))).toEqual(
      replicas.map(() => count),
    ),
  )
}

describe.each([
  {
    kind: 'this process',
    start: async () => replicaOf((onCount) => createLocalPresence({ onCount })),
  },
  { kind: 'Redis', start: async (): Promise<Replica> => await startReplica() },
])('presence by $kind', ({ start }) => {
  it('counts a user once and each anonymous stream', async () => {
    const { presence, told } = await start()
    const itemId = randomUUID()
    for (const userId of ['ann', 'ann', 'bob', '', '']) presence.join(itemId, userId)
    expect(presence.count(itemId)).toBe(4)
    expect(told(itemId)).toEqual([])
    await eventually(() => expect(told(itemId)).toEqual([4]))
    presence.leave(itemId, 'ann')
    presence.leave(itemId, '')
    await eventually(() => expect(told(itemId)).toEqual([4, 3]))
    presence.leave(itemId, 'ann')
    await eventually(() => expect(told(itemId)).toEqual([4, 3, 2]))
    expect(presence.count(itemId)).toBe(2)
  })

  it('keeps items apart, and knows nothing of those nobody watches', async () => {
    const { presence, told } = await start()
    const [itemId, other] = [randomUUID(), randomUUID()]
    presence.join(itemId, 'ann')
    presence.join(other, 'ann')
    presence.join(other, 'bob')
    await eventually(() => told(itemId).length === 1 && told(other).length === 1)
    expect([told(itemId), told(other)]).toEqual([[1], [2]])
    presence.leave(itemId, 'ann')
    await eventually(() => presence.count(itemId) === 0)
    expect(presence.count(other)).toBe(2)
    expect(presence.count(randomUUID())).toBe(0)
  })

  it('takes any user id for what it is', async () => {
    const { presence, told } = await start()
    const itemId = randomUUID()
    const userIds = ['<a>', 'a', '%a', '0', ' ', 'Zoë 🎨', '__proto__', '"', '-1', 'A']
    for (const userId of userIds) presence.join(itemId, userId)
    await eventually(() => expect(told(itemId)).toEqual([10]))
    for (const userId of userIds.slice(1)) presence.leave(itemId, userId)
    await eventually(() => expect(told(itemId)).toEqual([10, 1]))
  })

  it('is content with viewers who go and never came', async () => {
    const { presence, told } = await start()
    const itemId = randomUUID()
    presence.leave(itemId, 'ann')
    presence.leave(itemId, '')
    presence.join(itemId, 'bob')
    presence.leave(itemId, 'ann')
    presence.leave(itemId, '')
    await eventually(() => expect(told(itemId)).toEqual([1]))
  })
})

describe('presence over several replicas', () => {
  it('counts distinct users and all anonymous viewers', async () => {
    const { near, far, itemId } = await startTwo()
    for (const userId of ['ann', 'bob', '']) near.presence.join(itemId, userId)
    for (const userId of ['bob', 'cid', '', '']) far.presence.join(itemId, userId)
    await both([near, far], itemId, 6)
    expect(near.told(itemId).at(-1)).toBe(6)
    expect(far.told(itemId).at(-1)).toBe(6)
    // Still on the other one.
    near.presence.leave(itemId, 'bob')
    near.presence.leave(itemId, '')
    await both([near, far], itemId, 5)
    far.presence.leave(itemId, 'bob')
    await both([near, far], itemId, 4)
    for (const { told } of [near, far]) {
      const counts = told(itemId)
      expect(counts.filter((count, index) => count === counts[index - 1])).toEqual([])
    }
  })

  it('leaves nothing in Redis when the last viewer has gone', async () => {
    const { near, far, itemId, key } = await startTwo()
    near.presence.join(itemId, 'ann')
    far.presence.join(itemId, 'ann')
    far.presence.join(itemId, '')
    await both([near, far], itemId, 2)
    far.presence.leave(itemId, 'ann')
    far.presence.leave(itemId, '')
    await both([near], itemId, 1)
    await both([far], itemId, 0)
    expect((await near.redis.hkeys(key)).toSorted()).toEqual(['', 'ann'])
    expect(await near.redis.hget(key, 'ann')).toMatch(/^<[^<>]+>$/)
    near.presence.leave(itemId, 'ann')
    await eventually(async () => (await near.redis.exists(key)) === 0)
  })

  it.each(['ann', ''])(
    'takes back viewer "%s" who comes while the goodbye is on its way',
    async (userId) => {
      const { near, far, itemId, key } = await startTwo()
      far.presence.join(itemId, 'bob')
      near.presence.join(itemId, userId)
      await both([near, far], itemId, 2)
      const start = near.redis.pipeline.bind(near.redis)
      const sending = vi.spyOn(near.redis, 'pipeline').mockImplementationOnce(() => {
        // When this turn of the loop is over the report has been sent.
        setImmediate(() => near.presence.join(itemId, userId))
        return start()
      })
      near.presence.leave(itemId, userId)
      await eventually(() => expect(sending).toHaveBeenCalled())
      await both([near, far], itemId, 2)
      await eventually(async () => {
        const replicas: object = JSON.parse((await far.redis.hget(key, '')) ?? '{}') as object
        expect(Object.keys(replicas)).toHaveLength(2)
      })
      near.presence.leave(itemId, userId)
      await both([far], itemId, 1)
    },
  )

  it('has the viewers of a replica gone at once when it closes', async () => {
    const near = await startReplica()
    // Its entry would outlast this test.
    const far = await startReplica(near.keyPrefix, inject('redisUrl'), slow)
    const itemId = randomUUID()
    near.presence.join(itemId, 'ann')
    for (const userId of ['ann', 'bob', '']) far.presence.join(itemId, userId)
    await both([near, far], itemId, 3)
    await far.presence.close()
    expect(far.presence.count(itemId)).toBe(0)
    far.presence.join(itemId, 'too late')
    await both([near], itemId, 1)
    expect(near.told(itemId).at(-1)).toBe(1)
  })

  it('counts the viewers of a replica that just stops no longer than its time', async () => {
    const { near, far, itemId } = await startTwo()
    near.presence.join(itemId, 'ann')
    for (const userId of ['ann', 'bob', '']) far.presence.join(itemId, userId)
    await both([near, far], itemId, 3)
    const stoppedAtMs = performance.now()
    // No more reports, no goodbye.
    far.redis.disconnect()
    await both([near], itemId, 1)
    const tookMs = performance.now() - stoppedAtMs
    expect(tookMs).toBeLessThan(ttlMs + heartbeatMs + 1_000)
    // While nobody else reports, Redis lets go of the item by itself.
    near.redis.disconnect()
    const redis = await connect()
    await eventually(
      async () => (await redis.exists(`${near.keyPrefix}${presenceKey(itemId)}`)) === 0,
    )
  })

  it('is right again after Redis lost its data', async () => {
    const { near, far, itemId, key } = await startTwo()
    for (const userId of ['ann', 'bob', '']) near.presence.join(itemId, userId)
    for (const userId of ['bob', 'cid', '']) far.presence.join(itemId, userId)
    await both([near, far], itemId, 5)
    await near.redis.del(key)
    far.presence.leave(itemId, 'cid')
    await both([near, far], itemId, 4)
    expect(await near.redis.hlen(key)).toBe(3)
  })

  it('is right again after Redis went back to an older state', async () => {
    const { near, far, itemId, key } = await startTwo()
    for (const userId of ['ann', 'bob', 'cid']) near.presence.join(itemId, userId)
    far.presence.join(itemId, 'dan')
    await both([near, far], itemId, 4)
    const older = await near.redis.dumpBuffer(key)
    near.presence.leave(itemId, 'bob')
    near.presence.leave(itemId, 'cid')
    near.presence.join(itemId, 'eve')
    await both([near, far], itemId, 3)
    await near.redis.restore(key, 10_000, older, 'REPLACE')
    await eventually(async () => (await near.redis.hexists(key, 'bob')) === 0)
    await both([near, far], itemId, 3)
    expect((await near.redis.hkeys(key)).toSorted()).toEqual(['', 'ann', 'dan', 'eve'])
  })

  it('reports many users in parts, and again when Redis has forgotten them', async () => {
    const far = await startReplica()
    const near = await startReplica(far.keyPrefix, inject('redisUrl'), slow)
    const itemId = randomUUID()
    const key = `${near.keyPrefix}${presenceKey(itemId)}`
    for (let user = 0; user < 5_000; user += 1) near.presence.join(itemId, `user ${user}`)
    far.presence.join(itemId, 'user 1')
    far.presence.join(itemId, '')
    await both([far], itemId, 5_001)
    await near.redis.del(key)
    near.presence.join(itemId, '')
    await both([far], itemId, 5_002)
    expect(await near.redis.hlen(key)).toBe(5_001)
    for (let user = 0; user < 5_000; user += 1) near.presence.leave(itemId, `user ${user}`)
    near.presence.leave(itemId, '')
    await both([far], itemId, 2)
    await both([near], itemId, 0)
    expect((await near.redis.hkeys(key)).toSorted()).toEqual(['', 'user 1'])
  })

  async function startProxy() {
    const proxy = await startTcpProxy(inject('redisUrl'))
    cleanups.push(proxy.close)
    return { proxy, url: proxy.url }
  }

  it('reports after a short absence what has changed meanwhile', async () => {
    const { proxy, url } = await startProxy()
    const near = await startReplica()
    // Redis does not forget it meanwhile, so it does not ask for everything.
    const timing = { heartbeatMs, ttlMs: slow.ttlMs }
    const far = await startReplica(near.keyPrefix, url, timing)
    const itemId = randomUUID()
    near.presence.join(itemId, 'ann')
    far.presence.join(itemId, 'bob')
    await both([near, far], itemId, 2)
    await proxy.refuse()
    far.presence.leave(itemId, 'bob')
    for (const userId of ['cid', 'dan', 'eve']) far.presence.join(itemId, userId)
    // A report has failed: it counts more than it was last told.
    await eventually(() => expect(far.told(itemId).at(-1)).toBe(3))
    await proxy.listen()
    await both([near, far], itemId, 4)
  })

  it('counts its own while Redis is unavailable, and all when it is back', async () => {
    const { proxy, url } = await startProxy()
    const near = await startReplica()
    const far = await startReplica(near.keyPrefix, url)
    const [itemId, other] = [randomUUID(), randomUUID()]
    for (const userId of ['ann', 'bob']) near.presence.join(itemId, userId)
    for (const userId of ['bob', 'cid', 'dan']) far.presence.join(itemId, userId)
    far.presence.join(other, 'ann')
    await both([near, far], itemId, 4)
    await proxy.refuse()
    await both([far], itemId, 3)
    await both([near], itemId, 2)
    far.presence.join(itemId, 'eve')
    far.presence.leave(itemId, 'bob')
    far.presence.leave(itemId, 'cid')
    far.presence.leave(other, 'ann')
    await eventually(() => expect(far.told(itemId).at(-1)).toBe(2))
    await eventually(() => far.presence.count(other) === 0)
    await proxy.listen()
    await both([near, far], itemId, 4)
    // Hanging is as good as unavailable.
    proxy.freeze()
    await both([far], itemId, 2)
    await both([near], itemId, 2)
    proxy.thaw()
    await both([near, far], itemId, 4)
  })

  it('starts without Redis', async () => {
    const redis = await connect('redis://127.0.0.1:1')
    const { presence, told } = replicaOf((onCount) =>
      createRedisPresence({ redis, log: quietLog, onCount }),
    )
    const itemId = randomUUID()
    presence.join(itemId, 'ann')
    presence.join(itemId, '')
    await eventually(() => expect(told(itemId)).toEqual([2]))
    expect(redisUp(redis)).toBe(false)
    await presence.close()
  })
})
