/** What only RabbitMQ has: messages as others see them, and the network between. */
import { randomUUID } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { connectRabbitBroker } from './broker-rabbitmq.ts'
import type { BrokerLog, IncomingEvent, OutgoingEvent } from './broker.ts'
import { TransientError } from '../process/errors.ts'
import { startAmqpProxy } from '../testing/test-brokers.ts'
import { exchanges, silentLog, startTestRabbit } from '../testing/test-rabbit.ts'
import type { TestRabbit } from '../testing/test-rabbit.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(over: Parameters<typeof startTestRabbit>[0] = {}): Promise<TestRabbit> {
  const rabbit = await startTestRabbit(over)
  cleanups.push(rabbit.close)
  return rabbit
}

async function proxied() {
  const { proxy, url } = await startAmqpProxy()
  cleanups.push(proxy.close)
  return { proxy, url }
}

function event(over: Partial<OutgoingEvent> = {}): OutgoingEvent {
  return {
    id: randomUUID(),
    type: 'bid.placed',
    key: randomUUID(),
    payload: Uint8Array.of(8, 1),
    headers: {},
    occurredAt: new Date('2026-11-20T12:34:56.789Z'),
    ...over,
  }
}

const wait = { timeout: 15_000, interval: 10 }

/** Publishes as the relay does: again, until every event is safe. */
async function publishUntilSafe(rabbit: TestRabbit, events: OutgoingEvent[]): Promise<void> {
  await vi.waitFor(() => rabbit.broker.publish(events), wait)
}

test('a message is what a CloudEvents consumer expects', async () => {
  const { broker, admin, topology } = await start()
  const queue = `${topology.events}.look`
  await admin.assertQueue(queue, { exclusive: true })
  await admin.bindQueue(queue, topology.events, 'bid.placed')
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const sent = event({ headers: { traceparent } })
  await broker.publish([sent])
  const message = await admin.get(queue, { noAck: true })
  expect(message).toMatchObject({
    fields: { routingKey: 'bid.placed' },
    properties: {
      messageId: sent.id,
      type: 'bid.placed',
      contentType: 'application/x-protobuf',
      deliveryMode: 2,
      timestamp: 1_795_178_096,
      headers: {
        traceparent,
        cloudEvents_specversion: '1.0',
        cloudEvents_id: sent.id,
        cloudEvents_source: '/bidmesh',
        cloudEvents_type: 'bid.placed',
        cloudEvents_subject: sent.key,
        cloudEvents_time: '2026-11-20T12:34:56.789Z',
      },
    },
  })
})

test('a dead letter is the original message with reason, queue and routing key', async () => {
  const { broker, deadLetters, topology } = await start()
  await broker.subscribe({ name: 'stats', bindings: ['#'], prefetch: 10 }, () =>
    Promise.reject(new Error('cannot decode')),
  )
  const sent = event()
  await broker.publish([sent])
  const [letter] = await vi.waitFor(async () => {
    const letters = await deadLetters('stats')
    expect(letters).toHaveLength(1)
    return letters
  }, wait)
  expect(letter?.content).toEqual(Buffer.from(sent.payload))
  expect(letter?.properties).toMatchObject({
    messageId: sent.id,
    type: 'bid.placed',
    deliveryMode: 2,
    headers: {
      'x-error': 'cannot decode',
      'x-original-queue': topology.name('stats'),
      'x-original-routing-key': 'bid.placed',
      cloudEvents_subject: sent.key,
    },
  })
})

test('a message from a stranger reaches the handler, which may refuse it', async () => {
  const { broker, admin, topology } = await start()
  const seen: IncomingEvent[] = []
  await broker.subscribe({ name: 'stats', bindings: ['#'], prefetch: 10 }, async (batch) => {
    seen.push(...batch)
  })
  admin.publish(topology.events, 'bid.placed', Buffer.from('not protobuf'))
  await vi.waitFor(() => expect(seen).toHaveLength(1), wait)
  expect(seen[0]).toMatchObject({ id: '', type: 'bid.placed', key: '', headers: {} })
})

test('connections cut again and again: nothing is lost, first occurrences keep their order', async () => {
  const { proxy, url } = await proxied()
  const rabbit = await start({ url })
  const seen: string[] = []
  await rabbit.broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 20 }, async (batch) => {
    seen.push(...batch.map(({ id }) => id))
  })
  const sent = Array.from({ length: 600 }, () => event())
  for (let from = 0; from < sent.length; from += 50) {
    const publishing = publishUntilSafe(rabbit, sent.slice(from, from + 50))
    if (from % 150 === 0) proxy.cut()
    await publishing
  }
  await vi.waitFor(() => expect(new Set(seen).size).toBe(sent.length), wait)
  expect([...new Set(seen)]).toEqual(sent.map(({ id }) => id))
})

test('a consumer cut off before it acknowledged gets the batch again, marked as redelivered', async () => {
  const { proxy, url } = await proxied()
  const rabbit = await start({ url })
  const batches: (readonly IncomingEvent[])[] = []
  const busy = Promise.withResolvers<void>()
  let running = 0
  await rabbit.broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 20 }, async (batch) => {
    running += 1
    expect(running).toBe(1)
    batches.push(batch)
    if (batches.length === 1) await busy.promise
    running -= 1
  })
  const sent = event()
  await rabbit.broker.publish([sent])
  await vi.waitFor(() => expect(batches).toHaveLength(1), wait)
  proxy.cut()
  await vi.waitFor(() => rabbit.broker.check(), wait)
  busy.resolve()
  await vi.waitFor(() => expect(batches).toHaveLength(2), wait)
  expect(batches.map(([first]) => [first?.id, first?.redelivered])).toEqual([
    [sent.id, false],
    [sent.id, true],
  ])
})

test('publishes in flight when the connection goes, and those without one, reject as transient', async () => {
  const { proxy, url } = await proxied()
  const rabbit = await start({ url })
  await rabbit.broker.subscribe(
    { name: 'all', bindings: ['#'], prefetch: 20 },
    async () => undefined,
  )
  proxy.freeze()
  const inFlight = rabbit.broker.publish([event()]).catch((error: unknown) => error)
  await proxy.refuse()
  expect(await inFlight).toBeInstanceOf(TransientError)
  await expect(rabbit.broker.publish([event()])).rejects.toBeInstanceOf(TransientError)
  await expect(rabbit.broker.check()).rejects.toBeInstanceOf(TransientError)
  proxy.thaw()
  await proxy.listen()
  await publishUntilSafe(rabbit, [event()])
})

test('confirms that never come: the publish rejects in time and the next connection works', async () => {
  const { proxy, url } = await proxied()
  const rabbit = await start({ url, confirmTimeoutMs: 200 })
  await rabbit.broker.subscribe(
    { name: 'all', bindings: ['#'], prefetch: 20 },
    async () => undefined,
  )
  proxy.freeze()
  await expect(rabbit.broker.publish([event()])).rejects.toThrow(
    'no confirm from RabbitMQ within 200 ms',
  )
  proxy.thaw()
  await publishUntilSafe(rabbit, [event()])
})

test('a queue deleted under its consumer is declared and consumed again', async () => {
  const rabbit = await start()
  const seen: string[] = []
  await rabbit.broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 20 }, async (batch) => {
    seen.push(...batch.map(({ id }) => id))
  })
  await rabbit.admin.deleteQueue(rabbit.topology.name('all'))
  const sent = event()
  await publishUntilSafe(rabbit, [sent])
  await vi.waitFor(() => expect(seen).toEqual([sent.id]), wait)
})

test('an exchange deleted under its publisher is declared again', async () => {
  const rabbit = await start()
  await rabbit.broker.subscribe(
    { name: 'all', bindings: ['#'], prefetch: 20 },
    async () => undefined,
  )
  await rabbit.admin.deleteExchange(rabbit.topology.events)
  await expect(rabbit.broker.publish([event()])).rejects.toBeInstanceOf(TransientError)
  await publishUntilSafe(rabbit, [event()])
  await expect(rabbit.admin.checkExchange(rabbit.topology.events)).resolves.toBeDefined()
})

test('a queue that exists with other arguments is refused, and publishing goes on', async () => {
  const rabbit = await start()
  await rabbit.broker.subscribe(
    { name: 'good', bindings: ['#'], prefetch: 20 },
    async () => undefined,
  )
  await rabbit.admin.assertQueue(rabbit.topology.name('odd'), { durable: true })
  const odd = rabbit.broker.subscribe(
    { name: 'odd', bindings: ['#'], prefetch: 20 },
    async () => undefined,
  )
  await expect(odd).rejects.toThrow('PRECONDITION_FAILED')
  await rabbit.broker.publish([event()])
})

test('stopping counts one return per message, and none when everything was acknowledged', async () => {
  const { broker, admin, topology } = await start()
  const busy = Promise.withResolvers<void>()
  let batches = 0
  const subscription = await broker.subscribe(
    { name: 'all', bindings: ['#'], prefetch: 10 },
    async () => {
      batches += 1
      await busy.promise
    },
  )
  await broker.publish([event()])
  await vi.waitFor(() => expect(batches).toBe(1), wait)
  await broker.publish([event(), event()])
  const stopped = subscription.stop()
  busy.resolve()
  await stopped
  expect(batches).toBe(1)
  const returned = [
    await admin.get(topology.name('all'), { noAck: true }),
    await admin.get(topology.name('all'), { noAck: true }),
    await admin.get(topology.name('all'), { noAck: true }),
  ].filter((message) => message !== false)
  expect(returned).toHaveLength(2)
  for (const { properties } of returned) {
    expect(properties.headers?.['x-delivery-count'] ?? 0).toBeLessThanOrEqual(1)
  }
})

test('a broker that is unavailable at the start is waited for, in the log without its password', async () => {
  const { proxy, url } = await proxied()
  await proxy.refuse()
  const lines: string[] = []
  const write = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
  }
  const log: BrokerLog = { info: write, warn: write, error: write }
  const secret = new URL(url)
  const starting = start({ url, log })
  await vi.waitFor(() => expect(lines.length).toBeGreaterThanOrEqual(2), wait)
  await proxy.listen()
  const { broker } = await starting
  await broker.check()
  expect(lines[0]).toContain('AMQP_URL')
  expect(lines.join('\n')).not.toContain(`:${secret.password}@`)
})

test('the wait for a broker ends with its signal', async () => {
  const { proxy, url } = await proxied()
  await proxy.refuse()
  const giveUp = new AbortController()
  const connecting = connectRabbitBroker({ url, exchanges, log: silentLog, signal: giveUp.signal })
  giveUp.abort()
  await expect(connecting).rejects.toThrow('closed')
})
