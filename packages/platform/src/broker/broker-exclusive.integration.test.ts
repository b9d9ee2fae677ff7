/** The contract of exclusive queues, run over both brokers. */
import { keptQueue } from '../testing/test-rabbit.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { UnroutableError } from './broker.ts'
import { TransientError } from '../process/errors.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import { eventually } from '../testing/eventually.ts'
import { idsOf, recorder, testBrokers, testEvent, testEvents } from '../testing/test-brokers.ts'
import type { TestBroker } from '../testing/test-brokers.ts'

const live = { name: 'live', bindings: ['#'], prefetch: 10, exclusive: true } as const
const all = { name: 'all', bindings: ['#'], prefetch: 10 }

describe.each(testBrokers)('$name', ({ open, keepsNothing }) => {
  const cleanups: (() => Promise<void>)[] = []
  const start = async (): Promise<TestBroker> => {
    const opened = await open()
    cleanups.push(opened.close)
    return opened
  }
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  })

  test('two of one name each get everything after they subscribed, beside a durable queue', async () => {
    const { broker } = await start()
    const [durable, one, two] = [recorder(), recorder(), recorder()]
    await broker.subscribe(all, durable.handle)
    const before = testEvent()
    await broker.publish([before])
    await broker.subscribe(live, one.handle)
    await broker.subscribe(live, two.handle)
    const sent = testEvents(200)
    await Promise.all([broker.publish(sent.slice(0, 90)), broker.publish(sent.slice(90))])
    await Promise.all([durable.until(201), one.until(200), two.until(200)])
    expect(idsOf(one.seen)).toEqual(idsOf(sent))
    expect(idsOf(two.seen)).toEqual(idsOf(sent))
    expect(idsOf(durable.seen)).toEqual([before.id, ...idsOf(sent)])
    expect(Math.max(...one.batches.map((batch) => batch.length))).toBeLessThanOrEqual(10)
  })

  test('only what it is bound to arrives, and nothing once it has stopped', async () => {
    const { broker } = await start()
    const [durable, items, rest] = [recorder(), recorder(), recorder()]
    await broker.subscribe(all, durable.handle)
    const subscription = await broker.subscribe({ ...live, bindings: ['item.*'] }, items.handle)
    await broker.subscribe(live, rest.handle)
    const [bid, opened, ended] = [
      testEvent(),
      testEvent({ type: 'item.opened' }),
      testEvent({ type: 'item.ended' }),
    ]
    await broker.publish([bid, opened])
    await Promise.all([items.until(1), rest.until(2)])
    await subscription.stop()
    await broker.publish([ended])
    await Promise.all([durable.until(3), rest.until(3)])
    expect(idsOf(items.seen)).toEqual([opened.id])
  })

  test('one of the same name as a durable queue is another queue', async () => {
    const { broker } = await start()
    const [durable, exclusive] = [recorder(), recorder()]
    await broker.subscribe(all, durable.handle)
    await broker.subscribe({ ...all, exclusive: true }, exclusive.handle)
    const sent = testEvents(20)
    await broker.publish(sent)
    await Promise.all([durable.until(20), exclusive.until(20)])
    expect(idsOf(durable.seen)).toEqual(idsOf(sent))
    expect(idsOf(exclusive.seen)).toEqual(idsOf(sent))
  })

  test('what it gets is not safe for that: a consumer that comes later misses nothing', async () => {
    const { broker } = await start()
    await broker.declare(keptQueue)
    const [shown, stats] = [recorder(), recorder()]
    await broker.subscribe(live, shown.handle)
    const sent = testEvents(3)
    const refusal = await broker.publish(sent).catch((reason: unknown) => reason)
    await shown.until(3)
    expect(idsOf(shown.seen)).toEqual(idsOf(sent))
    expect(refusal instanceof UnroutableError).toBe(keepsNothing)
    if (refusal instanceof UnroutableError) expect(refusal.eventIds).toEqual(idsOf(sent))
    await broker.subscribe({ ...keptQueue, prefetch: 10 }, stats.handle)
    if (keepsNothing) await broker.publish(sent)
    await stats.until(3)
    expect(idsOf(stats.seen)).toEqual(idsOf(sent))
  })

  test('that it has handled an event does not make the event safe elsewhere', async () => {
    const { broker } = await start()
    const busy = Promise.withResolvers<void>()
    const [durable, shown] = [recorder(() => busy.promise), recorder()]
    await broker.subscribe(all, durable.handle)
    await broker.subscribe(live, shown.handle)
    let safe = false
    const published = broker.publish(testEvents(2)).then(() => (safe = true))
    await Promise.all([shown.until(2), eventually(() => durable.batches.length === 1)])
    // RabbitMQ keeps them for the busy handler; memory has nothing but that handler.
    if (keepsNothing) expect(safe).toBe(false)
    busy.resolve()
    await published
    await durable.until(2)
    expect(idsOf(durable.seen)).toEqual(idsOf(shown.seen))
  })

  test('poison is counted and dropped; all others are handled in order', async () => {
    const telemetry = await startTelemetry({ serviceName: 'test' })
    cleanups.push(telemetry.stop)
    const { broker, deadLetters } = await start()
    const durable = recorder()
    await broker.subscribe(all, durable.handle)
    const sent = testEvents(50)
    const poison = new Set([sent[0]?.id, sent[21]?.id, sent[22]?.id, sent[49]?.id])
    const shown = recorder((batch) => {
      if (batch.some(({ id }) => poison.has(id))) throw new Error('undecodable')
    })
    await broker.subscribe(live, shown.handle)
    await broker.publish(sent)
    await Promise.all([shown.until(46), durable.until(50)])
    const healthy = idsOf(sent).filter((id) => !poison.has(id))
    expect(idsOf(shown.seen)).toEqual(healthy)
    await eventually(async () =>
      expect(await telemetry.metricsText()).toMatch(/bidmesh_dead_letters\S*queue="live"\S* 4$/m),
    )
    const last = testEvent()
    await broker.publish([last])
    await shown.until(47)
    expect(idsOf(shown.seen)).toEqual([...healthy, last.id])
    expect(await deadLetters('all')).toEqual([])
  })

  test('a failure that passes gives the same batch again, and the publish does not wait for it', async () => {
    const { broker } = await start()
    const durable = recorder()
    await broker.subscribe(all, durable.handle)
    let unavailable = true
    const shown = recorder(() => {
      if (unavailable) throw new TransientError('database unavailable')
    })
    await broker.subscribe(live, shown.handle)
    const sent = testEvents(3)
    await broker.publish(sent)
    await eventually(() => shown.batches.length >= 2)
    expect(shown.batches[1]).toEqual(shown.batches[0])
    unavailable = false
    await shown.until(3)
    expect(idsOf(shown.seen)).toEqual(idsOf(sent))
  })

  test('one that hangs holds up nobody and loses the oldest', async () => {
    const { broker, exclusiveMaxLength } = await start()
    const durable = recorder()
    await broker.subscribe({ ...all, prefetch: 1_000 }, durable.handle)
    const hanging = Promise.withResolvers<void>()
    const shown = recorder(() => hanging.promise)
    await broker.subscribe({ ...live, prefetch: 1 }, shown.handle)
    const first = testEvent()
    await broker.publish([first])
    await eventually(() => shown.batches.length === 1)
    const sent = testEvents(exclusiveMaxLength + 50)
    for (let from = 0; from < sent.length; from += 1_000) {
      await broker.publish(sent.slice(from, from + 1_000))
    }
    await durable.until(1 + sent.length)
    hanging.resolve()
    await shown.until(1 + exclusiveMaxLength)
    expect(idsOf(shown.seen)).toEqual([first.id, ...idsOf(sent.slice(50))])
  })
})
