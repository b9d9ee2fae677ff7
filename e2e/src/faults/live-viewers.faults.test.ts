/** A live process, RabbitMQ and Redis go away and come back under 2,000 viewers. */
import { setTimeout as sleep } from 'node:timers/promises'
import { checkInvariants } from '@bidmesh/invariants/check-invariants.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultSeeds, isLongSeries, startLimitMs } from './fault-seeds.ts'
import { areUpToDate, holdTheirPace, type LiveFault, playLiveRound } from './live-round.ts'
import { type LiveWorld, startLiveWorld } from './live-world.ts'

/** Before a process or Redis is started again. */
const downMs = { least: 500, most: 1_500 }
/** Each of two stretches: as long as it takes a process to look twice for what it was not told. */
const brokerAwayMs = { least: 1_000, most: 2_500 }

const seeds = faultSeeds(1)

const liveProcess: LiveFault = {
  name: 'a live process is killed',
  strike: async ({ stack }, random) => {
    const victim = random.pick(stack.live)
    await victim.kill9()
    await sleep(random.between(downMs.least, downMs.most))
    await victim.start()
  },
}

const brokerCut: LiveFault = {
  name: 'RabbitMQ cannot be reached',
  strike: async (world, random) => {
    const { amqpProxy, crowd, bids } = world
    await amqpProxy.refuse()
    try {
      await sleep(random.between(brokerAwayMs.least, brokerAwayMs.most))
      // Without events each process is somewhere else, and may be behind what its newcomers know.
      await crowd.swap()
      await sleep(random.between(brokerAwayMs.least, brokerAwayMs.most))
      // A broker that is unavailable costs viewers single steps, not the state.
      await areUpToDate(world)
      bids.go()
    } finally {
      await amqpProxy.listen()
    }
  },
}

const brokerKilled: LiveFault = {
  name: 'RabbitMQ is killed',
  strike: async ({ rabbitmq }, random) => {
    await rabbitmq.kill9()
    await sleep(random.between(downMs.least, downMs.most))
    await rabbitmq.start()
  },
}

const redisKilled: LiveFault = {
  name: 'Redis is killed',
  strike: async ({ redis }, random) => {
    await redis.kill9()
    await sleep(random.between(downMs.least, downMs.most))
    await redis.start()
  },
}

let world: LiveWorld
beforeAll(async () => {
  world = await startLiveWorld()
}, startLimitMs)
afterAll(async () => {
  await world?.stop()
}, startLimitMs)

/** RabbitMQ takes both cores for seconds when it starts: too long for every run of all tests. */
const faults = [liveProcess, brokerCut, redisKilled, ...(isLongSeries ? [brokerKilled] : [])]

describe.each(faults)('$name', (fault) => {
  test.each(seeds)('SEED=%i', async (seed) => {
    expect(await playLiveRound(world, fault, seed)).toBeGreaterThan(0)
  })
})

test('the slowest bids have not noticed', () => {
  const { quiet, struck } = world.times
  expect(quiet.length).toBeGreaterThan(0)
  // The few hundred bids of a short series make no p99: a slow flush of the disk is five of them.
  holdTheirPace(struck, quiet, isLongSeries ? 0.99 : 0.95)
})

test('afterwards every bid is where it belongs, once', async () => {
  const { bidSql, statsSql, bids } = world
  await eventually(async () => {
    const [happened] = await bidSql<{ bids: bigint; unsent: bigint }[]>`
      SELECT (SELECT count(*) FROM bids) AS bids, (SELECT count(*) FROM outbox) AS unsent`
    const [applied] = await statsSql<{ bids: bigint }[]>`SELECT count(*) AS bids FROM inbox_events`
    expect(happened).toEqual({ bids: applied?.bids, unsent: 0n })
  })
  expect(
    await checkInvariants({
      bidSql,
      statsSql,
      ledger: bids.ledger,
      fullHistory: true,
    }),
  ).toEqual([])
  expect(bids.ledger.length).toBeGreaterThan(0)
})
