/** The moment between commit and acknowledgement: what is lost there is delivered again, and counts once. */
import { randomUUID } from 'node:crypto'
import type { IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { createTestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { startTestRabbit } from '@bidmesh/platform/testing/test-rabbit.ts'
import { expect, inject, it } from 'vitest'
import { startConsumer } from './consumer.ts'
import { noLeaderboards } from './leaderboards.ts'
import { migrationsDirectory } from './stats-component.ts'
import { bidEvent, recomputedProjections, storedProjections, testBid } from './test-events.ts'

it('a connection cut after the commit and before the acknowledgement: all come again, none counts twice', async () => {
  await using cleanup = new AsyncDisposableStack()
  const database = await createTestDatabase(migrationsDirectory)
  cleanup.defer(database.drop)
  const proxy = await startTcpProxy(inject('amqpUrl'))
  cleanup.defer(proxy.close)
  const namespace = `test-${randomUUID()}`
  const publisher = await startTestRabbit({ namespace })
  cleanup.defer(publisher.close)
  const rabbit = await startTestRabbit({ url: proxy.url, namespace })
  cleanup.defer(rabbit.close)

  const handed: IncomingEvent[][] = []
  const counted = { applied: 0, duplicates: 0 }
  const metrics = {
    batch: () => undefined,
    lag: () => undefined,
    applied: (applied: number, duplicates: number) => {
      counted.applied += applied
      counted.duplicates += duplicates
    },
  }
  const bids = Array.from({ length: 20 }, (_, n) => testBid({ userId: `user-${n % 3}` }))
  const events = bids.map((bid) => bidEvent(bid))
  const broker = {
    ...rabbit.broker,
    subscribe: (...[queue, handle]: Parameters<typeof rabbit.broker.subscribe>) =>
      rabbit.broker.subscribe(queue, async (batch) => {
        handed.push([...batch])
        await handle(batch)
        if (handed.length === 1) proxy.cut()
      }),
  }
  await startConsumer({ session: database.session, broker, leaderboards: noLeaderboards, metrics })
  await publisher.broker.publish(events)
  // Every event of the first batch is a repeat now, and no other.
  await eventually(() =>
    expect(counted).toEqual({ applied: events.length, duplicates: handed[0]?.length }),
  )
  const [first = [], ...later] = handed
  const again = later.flat().filter(({ redelivered }) => redelivered)
  expect(again.map(({ id }) => id)).toEqual(expect.arrayContaining(first.map(({ id }) => id)))
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections(bids, []))
})
