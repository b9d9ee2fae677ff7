/** The relay on a real Postgres: nothing lost, order kept within an item, whatever fails in between. */
import { randomUUID } from 'node:crypto'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import type { Broker, IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { TransientError } from '@bidmesh/platform/process/errors.ts'
import type { Queryable, Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { startTelemetry } from '@bidmesh/platform/telemetry/telemetry.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import type { TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { silentLog, startTestRabbit } from '@bidmesh/platform/testing/test-rabbit.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LOCK_NAMESPACE, SHARD_COUNT } from './outbox.ts'
import { startRelay } from './relay.ts'
import type { Relay } from './relay.ts'

let database: TestDatabase
let sql: Sql
const cleanups: (() => Promise<void>)[] = []

beforeEach(async () => {
  database = await createTestDatabase('services/bid/migrations')
  sql = database.sql
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  await database.drop()
})

type NewEvent = { id?: string; itemId?: string; shard?: number; type?: string }

/** Appends one event as a transaction of the write side does; returns its id. */
async function append(tx: Queryable, event: NewEvent = {}): Promise<string> {
  const { id = randomUUID(), itemId = randomUUID(), shard = 0, type = 'bid.placed' } = event
  await tx`
    INSERT INTO outbox (shard, id, item_id, type, payload, headers, occurred_at)
    VALUES (${shard}, ${id}, ${itemId}, ${type}, ${Buffer.of(1, 2)}, '{}', clock_timestamp())`
  return id
}

async function outboxIds(): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`SELECT id FROM outbox ORDER BY shard, seq`
  return rows.map(({ id }) => id)
}

async function untilOutboxIsEmpty(): Promise<void> {
  await eventually(async () => expect(await outboxIds()).toEqual([]))
}

async function relayWith(broker: Broker, log = silentLog): Promise<Relay> {
  const relay = await startRelay({ databaseUrl: database.url, broker, log })
  cleanups.push(relay.stop)
  return relay
}

/** A memory broker with one subscriber to everything. */
async function memoryBroker() {
  const seen: IncomingEvent[] = []
  const broker = createMemoryBroker({ log: silentLog })
  await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 1_000 }, async (batch) => {
    seen.push(...batch)
  })
  cleanups.push(() => broker.close())
  return { broker, seen, ids: () => seen.map(({ id }) => id) }
}

/** Lines of a log, and the log. */
function recordLog() {
  const lines: string[] = []
  const write = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
  }
  return { lines, log: { info: write, warn: write, error: write } }
}

test('two relays, many writers: every event is published, in the order of its item', async () => {
  const rabbit = await startTestRabbit()
  cleanups.push(rabbit.close)
  const seen: IncomingEvent[] = []
  await rabbit.broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 500 }, async (batch) => {
    seen.push(...batch)
  })
  await relayWith(rabbit.broker)
  await relayWith(rabbit.broker)
  const items = Array.from({ length: 12 }, () => ({ id: randomUUID(), events: [] as string[] }))
  // Each transaction holds its item's lock from before the insert until it has committed, and writers of
  // different items of a shard commit in any order.
  const write = async (writer: number) => {
    for (let round = 0; round < 60; round += 1) {
      const index = (writer * 7 + round * 5) % items.length
      const item = items[index]
      if (item === undefined) continue
      await inTransaction(database.url, async (tx) => {
        await tx`SELECT pg_advisory_xact_lock(1, ${index}::int)`
        for (let more = round % 3; more >= 0; more -= 1) {
          item.events.push(await append(tx, { itemId: item.id, shard: index % 2 }))
        }
      })
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)))
  await untilOutboxIsEmpty()
  const sent = items.flatMap(({ events }) => events)
  await eventually(() => expect(new Set(seen.map(({ id }) => id)).size).toBe(sent.length))
  for (const { id, events } of items) {
    const got = seen.filter(({ key }) => key === id).map((event) => event.id)
    expect([...new Set(got)]).toEqual(events)
  }
})

test('while one relay holds a shard, no other publishes from it', async () => {
  const { broker, ids } = await memoryBroker()
  const go = Promise.withResolvers<void>()
  const held: string[] = []
  await relayWith({
    ...broker,
    publish: async (events) => {
      held.push(...events.map(({ id }) => id))
      await go.promise
      await broker.publish(events)
    },
  })
  const first = await append(sql)
  await eventually(() => expect(held).toEqual([first]))
  await relayWith(broker)
  // The first relay can hold half of the other shards as well; the second gets what it leaves.
  const others = await inTransaction(database.url, async (tx) => {
    const appended = [await append(tx)]
    for (let shard = 1; shard < SHARD_COUNT; shard += 1) appended.push(await append(tx, { shard }))
    return appended
  })
  await eventually(() => expect(ids().length).toBeGreaterThan(0))
  expect(ids()).not.toContain(first)
  go.resolve()
  await untilOutboxIsEmpty()
  expect(ids().toSorted()).toEqual([first, ...others].toSorted())
})

/** How long the event takes from its commit to a consumer, the relay having been idle before. */
async function delayMs(seen: readonly IncomingEvent[], tell: boolean): Promise<number> {
  await new Promise((idle) => setTimeout(idle, 600))
  const before = seen.length
  await append(sql)
  const startMs = performance.now()
  if (tell) await sql`SELECT pg_notify('bidmesh_outbox', '')`
  await eventually(() => seen.length > before, { intervalMs: 1 })
  return performance.now() - startMs
}

test('an idle relay that is told of an event does not wait for its next look', async () => {
  const { broker, seen } = await memoryBroker()
  await relayWith(broker)
  const [told, untold]: [number[], number[]] = [[], []]
  for (let round = 0; round < 5; round += 1) {
    told.push(await delayMs(seen, true))
    untold.push(await delayMs(seen, false))
  }
  const middle = (delays: number[]) => delays.toSorted((a, b) => a - b)[2] ?? Number.NaN
  expect(middle(told)).toBeLessThan(middle(untold))
})

describe('an event that commits late with a lower seq', () => {
  test('comes before later events of its item, although the relay has passed it', async () => {
    const { broker, ids } = await memoryBroker()
    await relayWith(broker)
    const item = randomUUID()
    const late = Promise.withResolvers<void>()
    const drawn = Promise.withResolvers<string>()
    const writing = inTransaction(database.url, async (tx) => {
      drawn.resolve(await append(tx, { itemId: item }))
      await late.promise
    })
    const first = await drawn.promise
    const others = [await append(sql), await append(sql)]
    await eventually(() => expect(ids()).toEqual(others))
    // With the shard locked, the relay sees both events of the item at once, between two sweeps.
    const second = await inTransaction(database.url, async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(${LOCK_NAMESPACE}::int, 0)`
      late.resolve()
      await writing
      return await append(sql, { itemId: item })
    })
    await eventually(() => expect(ids()).toEqual([...others, first, second]))
  })

  test('is found by the sweep, even behind a cursor that has been trusted', async () => {
    const { broker, ids } = await memoryBroker()
    await relayWith(broker)
    const passed: string[] = []
    for (let round = 0; round < 5; round += 1) {
      passed.push(await append(sql))
      await eventually(() => expect(ids()).toEqual(passed))
    }
    const [lost, itemId] = [randomUUID(), randomUUID()]
    await sql`
      INSERT INTO outbox (shard, seq, id, item_id, type, payload, headers, occurred_at)
      OVERRIDING SYSTEM VALUE
      VALUES (0, 1, ${lost}, ${itemId}, 'bid.placed', '', '{}', now()),
        (0, 2, ${randomUUID()}, ${itemId}, 'bid.placed', '', '{}', now())`
    await eventually(() => expect(ids()).toContain(lost))
    await untilOutboxIsEmpty()
  })
})

test('a crash between confirm and delete repeats events and loses none', async () => {
  const { broker, ids } = await memoryBroker()
  let crashes = 3
  await relayWith({
    ...broker,
    publish: async (events) => {
      await broker.publish(events)
      if (crashes === 0) return
      crashes -= 1
      throw new TransientError('the connection went before the confirm came')
    },
  })
  const sent = [await append(sql), await append(sql), await append(sql)]
  await untilOutboxIsEmpty()
  expect([...new Set(ids())]).toEqual(sent)
  expect(ids().length).toBeGreaterThan(sent.length)
})

test('a database connection lost while publishing: the events come again, and the relay goes on', async () => {
  const { broker, ids } = await memoryBroker()
  let killed = 0
  await relayWith({
    ...broker,
    publish: async (events) => {
      await broker.publish(events)
      if (killed > 0) return
      const idle = await sql`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'idle in transaction'`
      killed += idle.length
    },
  })
  const first = await append(sql)
  await untilOutboxIsEmpty()
  expect(killed).toBe(1)
  expect(ids()).toEqual([first, first])
  await append(sql)
  await untilOutboxIsEmpty()
})

test('an unroutable event stays, holds up its own shard only, and goes once a queue is bound', async () => {
  const rabbit = await startTestRabbit()
  cleanups.push(rabbit.close)
  const bids: string[] = []
  await rabbit.broker.subscribe(
    { name: 'bids', bindings: ['bid.*'], prefetch: 100 },
    async (batch) => {
      bids.push(...batch.map(({ id }) => id))
    },
  )
  const before = [await append(sql), await append(sql)]
  const stuck = await append(sql, { type: 'item.created' })
  const behind = await append(sql)
  const elsewhere: string[] = []
  for (let shard = 1; shard < SHARD_COUNT; shard += 1) elsewhere.push(await append(sql, { shard }))
  const { lines, log } = recordLog()
  await relayWith(rabbit.broker, log)
  await eventually(async () => expect(await outboxIds()).toEqual([stuck, behind]))
  expect(bids).toEqual(expect.arrayContaining([...before, ...elsewhere]))
  // Tried again and again, said once.
  await eventually(() => expect(lines.length).toBeGreaterThan(0))
  elsewhere.push(await append(sql, { shard: 3 }))
  await eventually(async () => expect(await outboxIds()).toEqual([stuck, behind]))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain(stuck)

  const items: string[] = []
  await rabbit.broker.subscribe(
    { name: 'items', bindings: ['item.*'], prefetch: 100 },
    async (batch) => {
      items.push(...batch.map(({ id }) => id))
    },
  )
  await untilOutboxIsEmpty()
  await eventually(() => expect(items).toEqual([stuck]))
  await eventually(() => expect(bids).toContain(behind))
  expect(lines).toHaveLength(2)
})

test('a broker that is unavailable: events wait, it is said once, and all drain when it is back', async () => {
  const { broker, ids } = await memoryBroker()
  let unavailable = true
  let tries = 0
  const { lines, log } = recordLog()
  await relayWith(
    {
      ...broker,
      publish: (events) => {
        tries += 1
        return unavailable
          ? Promise.reject(new TransientError('RabbitMQ is unavailable'))
          : broker.publish(events)
      },
    },
    log,
  )
  const sent = [await append(sql), await append(sql), await append(sql)]
  await eventually(() => expect(tries).toBeGreaterThanOrEqual(3))
  expect(await outboxIds()).toEqual(sent)
  unavailable = false
  await untilOutboxIsEmpty()
  expect(ids()).toEqual(sent)
  await eventually(() => expect(lines).toHaveLength(2))
  expect(lines[0]).toContain('RabbitMQ is unavailable')
})

test('a relay that starts before the outbox exists waits for it', async () => {
  await sql`ALTER TABLE outbox RENAME TO outbox_later`
  const { broker, ids } = await memoryBroker()
  const { lines, log } = recordLog()
  await relayWith(broker, log)
  await eventually(() => expect(lines.join()).toContain('does not exist'))
  await sql`ALTER TABLE outbox_later RENAME TO outbox`
  const sent = await append(sql)
  await eventually(() => expect(ids()).toEqual([sent]))
})

test('stop finishes the batch in hand, and takes no other', async () => {
  const { broker, ids } = await memoryBroker()
  const [publishing, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const relay = await relayWith({
    ...broker,
    publish: async (events) => {
      publishing.resolve()
      await go.promise
      await broker.publish(events)
    },
  })
  const first = await append(sql)
  await publishing.promise
  const stopped = relay.stop()
  const second = await append(sql)
  go.resolve()
  await stopped
  expect(ids()).toEqual([first])
  expect(await outboxIds()).toEqual([second])
})

test('more than one batch in one shard drains in order', async () => {
  const { broker, seen } = await memoryBroker()
  await sql`
    INSERT INTO outbox (shard, id, item_id, type, payload, headers, occurred_at)
    SELECT 5, gen_random_uuid(), gen_random_uuid(), 'bid.placed', '', '{}', now()
    FROM generate_series(1, 3500)`
  const sent = await outboxIds()
  await relayWith(broker)
  await untilOutboxIsEmpty()
  expect(seen.map(({ id }) => id)).toEqual(sent)
})

test('what waits and what fails is on /metrics', async () => {
  const telemetry = await startTelemetry({ serviceName: 'test' })
  cleanups.push(telemetry.stop)
  const broker = createMemoryBroker({ log: silentLog })
  await relayWith(broker)
  await append(sql)
  await append(sql)
  await eventually(async () => {
    const text = await telemetry.metricsText()
    expect(text).toMatch(/bidmesh_outbox_backlog\S* 2$/m)
    expect(text).toMatch(/bidmesh_outbox_oldest_age\S* 0*\.?\d*[1-9]/m)
    expect(text).toMatch(/bidmesh_publish_failures\S*reason="unroutable"\S* \d/m)
  })
  await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 10 }, async () => undefined)
  await eventually(async () => {
    const text = await telemetry.metricsText()
    expect(text).toMatch(/bidmesh_outbox_backlog\S* 0$/m)
    expect(text).toMatch(/bidmesh_outbox_published\S* 2$/m)
    expect(text).toMatch(/bidmesh_publish_confirm\S*_count\S* [1-9]/m)
  })
})
