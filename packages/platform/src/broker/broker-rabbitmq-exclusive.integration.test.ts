/** Exclusive and declared queues when the connection goes: what only RabbitMQ has. */
import { randomUUID } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { UnroutableError } from './broker.ts'
import type { OutgoingEvent } from './broker.ts'
import { TransientError } from '../process/errors.ts'
import { eventually } from '../testing/eventually.ts'
import { idsOf, recorder, startAmqpProxy, testEvent } from '../testing/test-brokers.ts'
import { startTestRabbit, keptQueue } from '../testing/test-rabbit.ts'
import type { TestRabbit } from '../testing/test-rabbit.ts'

const live = { name: 'live', bindings: ['#'], prefetch: 10, exclusive: true } as const
const stats = { ...keptQueue, prefetch: 10 }

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(over: Parameters<typeof startTestRabbit>[0]): Promise<TestRabbit> {
  const rabbit = await startTestRabbit(over)
  cleanups.push(rabbit.close)
  return rabbit
}

/** Two processes on one RabbitMQ, of which the second can be cut off. */
async function startTwo() {
  const { proxy, url } = await startAmqpProxy()
  cleanups.push(proxy.close)
  const namespace = `test-${randomUUID()}`
  return { near: await start({ namespace }), far: await start({ namespace, url }), proxy }
}

/** Publishes as the relay does, only more impatiently: again at once, until the event is safe. */
async function publishUntilSafe({ broker }: TestRabbit, event: OutgoingEvent): Promise<void> {
  await eventually(() => broker.publish([event]), { intervalMs: 0 })
}

test('after a lost connection it receives again, without what was published meanwhile', async () => {
  const { near, far, proxy } = await startTwo()
  const [kept, shown] = [recorder(), recorder()]
  await near.broker.subscribe(stats, kept.handle)
  await far.broker.subscribe(live, shown.handle)
  const [before, meanwhile, after] = [testEvent(), testEvent(), testEvent()]
  await near.broker.publish([before])
  await shown.until(1)
  await proxy.refuse()
  await near.broker.publish([meanwhile])
  await proxy.listen()
  await eventually(() => far.broker.check())
  await near.broker.publish([after])
  await Promise.all([shown.until(2), kept.until(3)])
  expect(idsOf(shown.seen)).toEqual([before.id, after.id])
})

test.each(['stopped', 'closed', 'cut off'])('once %s, its queue is gone', async (how) => {
  const { near, far, proxy } = await startTwo()
  const shown = recorder()
  const subscription = await far.broker.subscribe(live, shown.handle)
  await near.broker.publish([testEvent()])
  await shown.until(1)
  if (how === 'stopped') await subscription.stop()
  else if (how === 'closed') await far.broker.close()
  else await proxy.refuse()
  await eventually(() =>
    expect(near.broker.publish([testEvent()])).rejects.toBeInstanceOf(UnroutableError),
  )
})

test('a batch in hand is finished by stop, and the connection stays', async () => {
  const { near, far } = await startTwo()
  const busy = Promise.withResolvers<void>()
  const [kept, shown, other] = [recorder(), recorder(() => busy.promise), recorder()]
  await near.broker.subscribe(stats, kept.handle)
  await far.broker.subscribe(live, other.handle)
  const subscription = await far.broker.subscribe({ ...live, prefetch: 2 }, shown.handle)
  await near.broker.publish([testEvent(), testEvent(), testEvent()])
  await eventually(() => shown.batches.length === 1)
  const stopped = subscription.stop()
  busy.resolve()
  await stopped
  expect(idsOf(shown.seen)).toEqual(shown.batches[0])
  await far.broker.check()
  await near.broker.publish([testEvent()])
  await Promise.all([kept.until(4), other.until(4)])
  // A new connection would have meant a new queue, and events missed or seen twice.
  expect(idsOf(other.seen)).toEqual(idsOf(kept.seen))
})

test('a declared queue is there again before anything is published on a new connection', async () => {
  const { near, far, proxy } = await startTwo()
  const [shown, later] = [recorder(), recorder()]
  await far.broker.declare(keptQueue)
  await near.broker.subscribe(live, shown.handle)
  const sent: OutgoingEvent[] = []
  for (let round = 0; round < 3; round += 1) {
    // As if RabbitMQ had been replaced by an empty one.
    await proxy.refuse()
    await near.admin.deleteQueue(near.topology.name(keptQueue.name))
    await proxy.listen()
    const event = testEvent()
    await publishUntilSafe(far, event)
    sent.splice(0, sent.length, event)
  }
  await near.broker.subscribe(stats, later.handle)
  await later.until(1)
  expect(idsOf(later.seen)).toEqual(idsOf(sent))
})

test('a declaration cut off is made on the next connection', async () => {
  const { near, far, proxy } = await startTwo()
  const [shown, later] = [recorder(), recorder()]
  await near.broker.subscribe(live, shown.handle)
  proxy.freeze()
  const declared = far.broker.declare(keptQueue)
  await proxy.refuse()
  proxy.thaw()
  await proxy.listen()
  await declared
  const sent = testEvent()
  await near.broker.publish([sent])
  await near.broker.subscribe(stats, later.handle)
  await later.until(1)
  expect(idsOf(later.seen)).toEqual([sent.id])
})

test('a queue that exists with other arguments cannot be declared, and publishing goes on', async () => {
  const { near } = await startTwo()
  const kept = recorder()
  await near.broker.subscribe(stats, kept.handle)
  const odd = near.topology.name('odd')
  await near.admin.assertQueue(odd, { durable: true })
  cleanups.push(async () => {
    await near.admin.deleteQueue(odd)
    await near.admin.deleteQueue(`${odd}.dead`)
  })
  await expect(near.broker.declare({ name: 'odd', bindings: ['#'] })).rejects.toThrow(
    'PRECONDITION_FAILED',
  )
  await near.broker.publish([testEvent()])
  await kept.until(1)
})

test('a closed broker declares nothing', async () => {
  const { near } = await startTwo()
  await near.broker.close()
  await expect(near.broker.declare(keptQueue)).rejects.toBeInstanceOf(TransientError)
})
