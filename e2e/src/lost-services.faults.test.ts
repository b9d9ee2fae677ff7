/** RabbitMQ, Postgres and Redis die and come back while bidders bid. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { READY as LEADERBOARDS_READY } from '@bidmesh/stats/leaderboards.ts'
import { expect } from 'vitest'
import { acceptsMore, type Fault, type FaultWorld } from './fault-round.ts'
import { faultSeries } from './fault-series.ts'
import { withRedis } from './with-redis.ts'

/** Bids that must be accepted while the broker or Redis is away. */
const outageBids = 200
/** Before a service is started again, at most. */
const mostDownMs = 1_000

/** Until RabbitMQ is killed; the relay looks for events every 50 ms at least. */
const mostFrozenMs = 300

const rabbitmq: Fault = {
  name: 'RabbitMQ is killed',
  strike: async ({ rabbitmq: broker, amqpProxy, bidSql }, random, crowd) => {
    // So that it dies with messages on the way to it: whoever did not wait for their confirms has lost them.
    amqpProxy.freeze()
    await sleep(random.between(60, mostFrozenMs))
    await broker.kill9()
    amqpProxy.cut()
    amqpProxy.thaw()
    await acceptsMore(crowd, outageBids)
    await sleep(random.between(0, mostDownMs))
    const [outbox] = await bidSql<{ events: bigint }[]>`SELECT count(*) AS events FROM outbox`
    expect(outbox?.events).toBeGreaterThanOrEqual(outageBids / 2)
    await broker.start()
  },
}

const postgres: Fault = {
  name: 'Postgres is killed',
  strike: async ({ postgres: database }, random, crowd) => {
    const before = crowd.retries()
    await database.kill9()
    await sleep(random.between(0, mostDownMs))
    await eventually(() => crowd.retries() > before)
    await database.start()
  },
}

const redisKilled: Fault = {
  name: 'Redis is killed',
  strike: async (world, random, crowd) => {
    await world.redis.kill9()
    await acceptsMore(crowd, outageBids)
    await sleep(random.between(0, mostDownMs))
    await world.redis.start()
    await leaderboardsAreBack(world)
  },
}

const redisFlushed: Fault = {
  name: 'Redis is flushed',
  strike: async (world, _random, crowd) => {
    await withRedis(world.stack.services.redisUrl, (redis) => redis.flushall())
    await acceptsMore(crowd, outageBids)
    await leaderboardsAreBack(world)
  },
}

/** The marker stands again: from here on Redis ranks. The end of the round compares its ranks with the bids. */
async function leaderboardsAreBack({ stack }: FaultWorld): Promise<void> {
  await withRedis(stack.services.redisUrl, (redis) =>
    eventually(async () => (await redis.exists(LEADERBOARDS_READY)) === 1),
  )
}

faultSeries([rabbitmq, postgres, redisKilled, redisFlushed])
