/** Durable queues that are deleted or unbound by hand under who publishes to them: what only RabbitMQ has. */
import { randomUUID } from 'node:crypto'
import { connect } from 'amqplib'
import { afterEach, expect, inject, test } from 'vitest'
import type { BrokerLog, OutgoingEvent } from './broker.ts'
import { TransientError } from '../process/errors.ts'
import { declareQueue } from './rabbitmq-topology.ts'
import { eventually } from '../testing/eventually.ts'
import { idsOf, recorder, testEvent } from '../testing/test-brokers.ts'
import { startTestRabbit, keptQueue } from '../testing/test-rabbit.ts'
import type { TestRabbit } from '../testing/test-rabbit.ts'
import { startUntoldProxy } from '../testing/untold-proxy.ts'

const live = { name: 'live', bindings: ['#'], prefetch: 10, exclusive: true } as const
/** So long that nothing is mended but by who publishes or asks. */
const never = 3_600_000

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A relay's broker beside a live process's queue, which takes everything. */
async function startRelaying(over: Parameters<typeof startTestRabbit>[0] = {}) {
  const lines: string[] = []
  const write = (_fields: object, message: string) => void lines.push(message)
  const log: BrokerLog = { info: write, warn: write, error: write }
  const rabbit = await startTestRabbit({ log, ...over })
  const queue = rabbit.topology.name(keptQueue.name)
  cleanups.push(rabbit.close)
  const shown = recorder()
  await rabbit.broker.subscribe(live, shown.handle)
  await rabbit.broker.declare(keptQueue)
  cleanups.push(async () => {
    await rabbit.broker.close()
    await rabbit.admin.deleteQueue(queue)
    await rabbit.admin.deleteQueue(`${queue}.dead`)
  })
  return { ...rabbit, queue, shown, lines }
}

/** Ids of what the queue holds. */
async function held({ admin }: TestRabbit, queue: string): Promise<string[]> {
  const ids: string[] = []
  for (;;) {
    const message = await admin.get(queue, { noAck: true })
    if (message === false) return ids
    ids.push(String(message.properties.messageId))
  }
}

test('an event that only a passing queue has taken is not safe, and goes to the queue that is declared again', async () => {
  const relaying = await startRelaying({ lookIntervalMs: never })
  const { broker, admin, queue, shown, lines } = relaying
  const events: OutgoingEvent[] = []
  for (let round = 0; round < 3; round += 1) {
    await admin.deleteQueue(queue)
    const event = testEvent()
    await expect(broker.publish([event])).rejects.toBeInstanceOf(TransientError)
    await broker.publish([event])
    expect(await held(relaying, queue)).toEqual([event.id])
    events.push(event)
  }
  await eventually(() => expect(new Set(idsOf(shown.seen))).toEqual(new Set(idsOf(events))))
  // On the same connection throughout.
  expect(lines.filter((line) => line.includes('connected'))).toHaveLength(1)
})

test('that somebody else has declared it again meanwhile does not hide that it was missing', async () => {
  const { broker, admin, topology, queue } = await startRelaying({ lookIntervalMs: never })
  await admin.deleteQueue(queue)
  await declareQueue(admin, topology, keptQueue)
  await expect(broker.publish([testEvent()])).rejects.toThrow('missing')
  await broker.publish([testEvent()])
})

test('readiness says that it was missing', async () => {
  const { broker, admin, queue } = await startRelaying({ lookIntervalMs: never })
  await broker.check()
  await admin.deleteQueue(queue)
  await expect(broker.check()).rejects.toThrow(`queue ${keptQueue.name} was missing`)
  await broker.check()
})

test('a publisher with nothing to publish declares it again within a second', async () => {
  const { admin, topology, queue, lines } = await startRelaying()
  await admin.deleteQueue(queue)
  await eventually(() => lines.some((line) => line.includes('declared again')), { limitMs: 1_000 })
  await admin.checkQueue(queue)
  await admin.unbindQueue(queue, topology.events, '#')
  await admin.deleteExchange(`${queue}.witness.0`)
  await eventually(async () => {
    admin.publish(topology.events, 'bid.placed', Buffer.of())
    expect((await admin.checkQueue(queue)).messageCount).toBeGreaterThan(0)
  })
})

test('a queue unbound by hand gets its events all the same', async () => {
  const relaying = await startRelaying({ lookIntervalMs: never })
  const { broker, admin, topology, queue } = relaying
  await admin.unbindQueue(queue, topology.events, '#')
  const event = testEvent()
  await broker.publish([event])
  expect(await held(relaying, queue)).toEqual([event.id])
})

test('put back with other arguments, it holds up everything and readiness says so', async () => {
  const { broker, admin, queue } = await startRelaying({ lookIntervalMs: 50 })
  await admin.deleteQueue(queue)
  await eventually(async () => {
    await admin.deleteQueue(queue)
    await admin.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'classic' } })
  })
  await eventually(() => expect(broker.check()).rejects.toThrow('PRECONDITION_FAILED'))
  await expect(broker.publish([testEvent()])).rejects.toThrow('PRECONDITION_FAILED')
  await admin.deleteQueue(queue)
  await eventually(() => broker.publish([testEvent()]))
})

test('publishers each have a witness, and leave none behind but for the next', async () => {
  const namespace = `test-${randomUUID()}`
  const [first, second] = [await startRelaying({ namespace }), await startRelaying({ namespace })]
  await first.broker.close()
  const third = await startRelaying({ namespace })
  for (const number of [0, 1]) await third.admin.checkExchange(`${third.queue}.witness.${number}`)
  const event = testEvent()
  await Promise.all([second.broker.publish([event]), third.broker.publish([event])])
  expect(await held(third, third.queue)).toEqual([event.id, event.id])
  // On a connection of its own: RabbitMQ closes a channel that asks for what is not there.
  const connection = await connect(inject('amqpUrl'))
  cleanups.push(() => connection.close())
  const channel = await connection.createChannel()
  channel.on('error', () => undefined)
  await expect(channel.checkExchange(`${third.queue}.witness.2`)).rejects.toThrow('NOT_FOUND')
})

test('a consumer whose queue is deleted declares it again, and the connection stays', async () => {
  const { broker, admin, topology, lines } = await startRelaying()
  const [all, other] = [recorder(), recorder()]
  await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 20 }, all.handle)
  await broker.subscribe(live, other.handle)
  for (let round = 1; round <= 2; round += 1) {
    await admin.deleteQueue(topology.name('all'))
    await eventually(async () => {
      await broker.publish([testEvent()])
      expect(all.seen.length).toBeGreaterThanOrEqual(round)
    })
  }
  expect(lines.filter((line) => line.includes('connected'))).toHaveLength(1)
})

test('what a deleted queue had delivered is handled before anything new', async () => {
  const { broker, admin, topology } = await startRelaying()
  const busy = Promise.withResolvers<void>()
  const all = recorder(() => busy.promise)
  await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 20 }, all.handle)
  const before = Array.from({ length: 5 }, () => testEvent())
  for (const event of before) await broker.publish([event])
  await eventually(() => all.batches.length === 1)
  // Nothing of it is left in the queue: all has been delivered.
  await eventually(async () =>
    expect((await admin.checkQueue(topology.name('all'))).messageCount).toBe(0),
  )
  await admin.deleteQueue(topology.name('all'))
  const after = testEvent()
  const arrived = eventually(async () => {
    await broker.publish([after])
    expect(idsOf(all.seen)).toContain(after.id)
  })
  busy.resolve()
  await arrived
  expect(idsOf(all.seen).slice(0, 6)).toEqual([...idsOf(before), after.id])
})

test('a consumer that RabbitMQ does not tell of the deletion consumes from the new queue all the same', async () => {
  const proxy = await startUntoldProxy(inject('amqpUrl'))
  cleanups.push(async () => proxy.close())
  const { broker, admin, topology, lines } = await startRelaying({ url: proxy.url })
  const all = recorder()
  await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 20 }, all.handle)
  const events: OutgoingEvent[] = []
  for (let round = 0; round < 3; round += 1) {
    await admin.deleteQueue(topology.name('all'))
    // As a relay does that has noticed first.
    await declareQueue(admin, topology, { name: 'all', bindings: ['#'] })
    const event = testEvent()
    await broker.publish([event])
    events.push(event)
    await eventually(() => expect(idsOf(all.seen)).toEqual(idsOf(events)))
  }
  expect(lines.filter((line) => line.includes('connected'))).toHaveLength(1)
  expect(lines.filter((line) => line.includes('cancelled'))).toEqual([])
})
