/** RabbitMQ, Postgres and Redis die and come back, and a queue is deleted, while bidders bid. */
import { setTimeout as sleep } from 'node:timers/promises'
import { LOCK_NAMESPACE, SHARD_COUNT } from '@bidmesh/outbox-worker/outbox.ts'
import { statsQueue } from '@bidmesh/events/queues.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { READY as LEADERBOARDS_READY } from '@bidmesh/stats/leaderboards.ts'
import { connect } from 'amqplib'
import { expect } from 'vitest'
import { acceptsMore, type Fault, type FaultWorld } from './fault-round.ts'
import { faultSeries } from './fault-series.ts'
import { withRedis } from './with-redis.ts'

/** Bids that must be accepted while the broker or Redis is unavailable. */
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

const queueDeleted: Fault = {
  name: 'the queue of the statistics is deleted',
  strike: async (world, random, crowd) => {
    const { stack } = world
    const [consumer] = stack.stats
    // Without its consumer, only the relays can notice.
    const alone = random.between(0, 1) === 1
    await inTransaction(stack.bidDatabaseUrl, async (tx) => {
      // Nobody relays meanwhile: what is in a queue goes with it, by whoever's hand deletes it.
      await tx`
        SELECT pg_advisory_xact_lock(${LOCK_NAMESPACE}::int, shard)
        FROM generate_series(0, ${SHARD_COUNT - 1}::int) AS s (shard)`
      await eventually(async () => expect(await applied(world)).toBe(await relayed(world)))
      if (alone) await consumer?.kill9()
      const connection = await connect(stack.services.amqpUrl)
      const channel = await connection.createChannel()
      await channel.deleteQueue(statsQueue.name)
      await connection.close()
    })
    await acceptsMore(crowd, outageBids)
    if (alone) await consumer?.start()
  },
}

/** Of the events that count in the statistics. */
async function relayed({ bidSql }: FaultWorld): Promise<bigint> {
  const [events] = await bidSql<{ left: bigint }[]>`
    SELECT
      (SELECT count(*) FROM item_events WHERE type IN ('bid.placed', 'item.ended'))
      - (SELECT count(*) FROM outbox WHERE type IN ('bid.placed', 'item.ended')) AS left`
  return events?.left ?? 0n
}

async function applied({ statsSql }: FaultWorld): Promise<bigint> {
  const [inbox] = await statsSql<{ events: bigint }[]>`SELECT count(*) AS events FROM inbox_events`
  return inbox?.events ?? 0n
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

faultSeries([rabbitmq, queueDeleted, postgres, redisKilled, redisFlushed])
