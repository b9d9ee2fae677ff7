/** The relay beside a process that only watches: what the watcher gets must still reach the statistics. */
import { randomUUID } from 'node:crypto'
import { statsQueue } from '@bidmesh/events/queues.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { recorder } from '@bidmesh/platform/testing/test-brokers.ts'
import { createTestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { startTestRabbit } from '@bidmesh/platform/testing/test-rabbit.ts'
import { expect, test } from 'vitest'
import { startRelayComponent } from './relay-component.ts'

test('an event that was published before the stats service ever ran waits in its queue', async () => {
  await using cleanup = new AsyncDisposableStack()
  const { url: databaseUrl, sql, drop } = await createTestDatabase('services/bid/migrations')
  cleanup.defer(drop)
  const { broker, close } = await startTestRabbit()
  cleanup.defer(close)
  const [shown, counted] = [recorder(), recorder()]
  const live = { name: 'live', bindings: ['#'], prefetch: 10, exclusive: true } as const
  await broker.subscribe(live, shown.handle)

  const log = createLog({ name: 'test', level: 'silent' })
  const { signal } = new AbortController()
  const relay = await startRelayComponent({ databaseUrl, broker, log, signal })
  cleanup.defer(relay.stop)
  const id = randomUUID()
  await sql`
    INSERT INTO outbox (shard, id, item_id, type, payload, headers, occurred_at)
    VALUES (0, ${id}, ${randomUUID()}, 'item.created', '', '{}', clock_timestamp())`
  await eventually(async () => expect(await sql`SELECT FROM outbox`).toHaveLength(0))
  await shown.until(1)

  await broker.subscribe({ ...statsQueue, prefetch: 10 }, counted.handle)
  await counted.until(1)
  expect(counted.seen.map((event) => event.id)).toEqual([id])
})

test('an event waits in the outbox while the queue of the statistics is missing', async () => {
  await using cleanup = new AsyncDisposableStack()
  const { url: databaseUrl, sql, drop } = await createTestDatabase('services/bid/migrations')
  cleanup.defer(drop)
  const { broker, admin, topology, close } = await startTestRabbit()
  cleanup.defer(close)
  const [shown, counted] = [recorder(), recorder()]
  const live = { name: 'live', bindings: ['#'], prefetch: 10, exclusive: true } as const
  await broker.subscribe(live, shown.handle)
  const log = createLog({ name: 'test', level: 'silent' })
  const { signal } = new AbortController()
  const relay = await startRelayComponent({ databaseUrl, broker, log, signal })
  cleanup.defer(relay.stop)

  const sent: string[] = []
  for (let round = 0; round < 5; round += 1) {
    await admin.deleteQueue(topology.name(statsQueue.name))
    // What was in it is gone with it: from here on, everything must be kept.
    sent.splice(0)
    for (let shard = 0; shard < 8; shard += 1) {
      const id = randomUUID()
      sent.push(id)
      await sql`
        INSERT INTO outbox (shard, id, item_id, type, payload, headers, occurred_at)
        VALUES (${shard}, ${id}, ${randomUUID()}, 'item.created', '', '{}', clock_timestamp())`
    }
    await eventually(async () => expect(await sql`SELECT FROM outbox`).toHaveLength(0))
  }
  await broker.subscribe({ ...statsQueue, prefetch: 10 }, counted.handle)
  await eventually(() =>
    expect(new Set(counted.seen.map((event) => event.id))).toEqual(new Set(sent)),
  )
  await relay.check()
})
