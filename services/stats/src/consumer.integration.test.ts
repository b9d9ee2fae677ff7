/**
 * From a real queue into the projections, over both brokers: poison goes to the dead letters alone, repeats
 * count once, and a database that is unavailable holds events up without losing or burying any.
 */
import { randomUUID } from 'node:crypto'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import type { Broker, IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { openSession } from '@bidmesh/platform/postgres/session.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { silentLog, startTestRabbit } from '@bidmesh/platform/testing/test-rabbit.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startConsumer } from './consumer.ts'
import { noLeaderboards } from './leaderboards.ts'
import { createStatsMetrics } from './metrics.ts'
import type { Standing } from './standings.ts'
import { migrationsDirectory } from './stats-component.ts'
import {
  arrived,
  bidEvent,
  endEvent,
  recomputedProjections,
  storedProjections,
  testBid,
  type TestEnd,
} from './test-events.ts'

type Rig = { broker: Broker; deadLetters: () => Promise<{ id: string; error: string }[]> }

const brokers: [name: string, start: () => Promise<Rig>][] = [
  [
    'memory',
    async () => {
      const broker = createMemoryBroker({ log: silentLog })
      cleanups.push(broker.close)
      const letters = () =>
        broker.deadLetters().map(({ event, error }) => ({ id: event.id, error }))
      return { broker, deadLetters: async () => letters() }
    },
  ],
  [
    'RabbitMQ',
    async () => {
      const rabbit = await startTestRabbit()
      cleanups.push(rabbit.close)
      const deadLetters = async () =>
        (await rabbit.deadLetters('stats')).map(({ properties }) => ({
          id: String(properties.messageId),
          error: String(properties.headers?.['x-error']),
        }))
      return { broker: rabbit.broker, deadLetters }
    },
  ],
]

const cleanups: (() => unknown)[] = []
let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase(migrationsDirectory)
  cleanups.push(database.drop)
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function consume(broker: Broker, session = database.session, leaderboards = noLeaderboards) {
  return startConsumer({ session, broker, leaderboards, metrics: createStatsMetrics() })
}

const stored = () => storedProjections(database.sql)

describe.each(brokers)('%s', (_, start) => {
  it('poison among good events: the good ones are applied, the poison is put aside', async () => {
    const { broker, deadLetters } = await start()
    await consume(broker)
    const itemId = randomUUID()
    const bids = Array.from({ length: 60 }, (__, n) =>
      testBid({ itemId, userId: `user-${n % 7}`, amount: BigInt(n + 1) }),
    )
    const end: TestEnd = { itemId, winner: { userId: 'user-3', amount: 60n }, atMs: 5_000 }
    const poison: [event: IncomingEvent, says: string][] = [
      [bidEvent(testBid(), { amount: 0n }), 'amount is out of range'],
      [bidEvent(testBid(), { userId: 'a\0' }), 'user_id is not'],
      [arrived(randomUUID(), 'bid.placed', itemId, Buffer.from([0xff]), 1_000), 'bid.placed'],
      [endEvent({ itemId: randomUUID(), atMs: 1 }, { outcome: 0 }), 'outcome is neither'],
    ]
    const other = arrived(randomUUID(), 'item.created', itemId, Buffer.from('whatever'), 1_000)
    const events = [...bids.map((bid) => bidEvent(bid)), other, endEvent(end)]
    for (const [index, [event]] of poison.entries()) events.splice(index * 17, 0, event)
    await broker.publish(events)
    await eventually(async () => {
      expect(await stored()).toEqual(recomputedProjections(bids, [end]))
      expect((await deadLetters()).map(({ id }) => id)).toEqual(poison.map(([{ id }]) => id))
    })
    for (const [index, { error }] of (await deadLetters()).entries()) {
      expect(error).toContain(poison[index]?.[1])
    }
  })

  it('two consumers and repeated events: each counts once', async () => {
    const { broker, deadLetters } = await start()
    await consume(broker)
    await consume(broker)
    const bids = Array.from({ length: 300 }, (__, n) => testBid({ userId: `user-${n % 9}` }))
    const events = bids.map((bid) => bidEvent(bid))
    await broker.publish(events)
    await broker.publish(events.toReversed())
    await broker.publish(events.slice(100, 200))
    await eventually(async () => expect(await stored()).toEqual(recomputedProjections(bids, [])))
    expect(await deadLetters()).toEqual([])
  })

  it('a database that becomes unavailable holds events up; none is lost or buried', async () => {
    const { broker, deadLetters } = await start()
    const proxy = await startTcpProxy(database.url)
    cleanups.push(proxy.close)
    const settings = { max: 1, applicationName: 'test' }
    const sql = connectPostgres(proxy.url, settings)
    const session = openSession(proxy.url, settings)
    cleanups.push(session.close, () => sql.end({ timeout: 0 }))
    await consume(broker, session)
    const bids = Array.from({ length: 50 }, () => testBid())
    const [before, ...during] = bids
    await broker.publish([bidEvent(before ?? testBid())])
    await eventually(async () => expect((await stored()).inbox).toHaveLength(1))
    await proxy.refuse()
    const published = broker.publish(during.map((bid) => bidEvent(bid)))
    // Seen to fail once, so that the batch has met the missing database.
    await expect(sql`SELECT 1`).rejects.toThrow()
    await proxy.listen()
    await published
    await eventually(async () => expect(await stored()).toEqual(recomputedProjections(bids, [])))
    expect(await deadLetters()).toEqual([])
  })

  it('tells the leaderboards after the commit, and again for a batch that comes again', async () => {
    const { broker } = await start()
    const told: (readonly Standing[])[] = []
    const committed: number[] = []
    const update = async (standings: readonly Standing[]) => {
      committed.push((await stored()).inbox.length)
      told.push(standings)
    }
    await consume(broker, database.session, { ...noLeaderboards, update })
    const bid = bidEvent(testBid())
    await broker.publish([bid])
    await eventually(() => told.length === 1)
    await broker.publish([bid])
    await eventually(() => told.length === 2)
    const ann = [
      { ranking: 'bids', userId: 'ann', total: 1n },
      { ranking: 'won', userId: 'ann', total: 0n },
      { ranking: 'amount:USD', userId: 'ann', total: 100n },
    ]
    expect(told).toEqual([ann, ann])
    expect(committed).toEqual([1, 1])
  })
})
