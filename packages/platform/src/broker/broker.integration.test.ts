/**
 * The contract of `broker.ts`, run over both brokers; that of exclusive queues is in
 * `broker-exclusive.integration.test.ts`. What only RabbitMQ has is in `broker-rabbitmq.integration.test.ts`.
 */
import { keptQueue } from '../testing/test-rabbit.ts'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { UnroutableError } from './broker.ts'
import { TransientError } from '../process/errors.ts'
import { eventually } from '../testing/eventually.ts'
import {
  idsOf as ids,
  recorder,
  testBrokers,
  testEvent as event,
  testEvents as events,
} from '../testing/test-brokers.ts'
import type { TestBroker } from '../testing/test-brokers.ts'

describe.each(testBrokers)('$name', ({ open, keepsNothing }) => {
  const opened: TestBroker[] = []
  const start = async (): Promise<TestBroker> => {
    const fixture = await open()
    opened.push(fixture)
    return fixture
  }
  afterEach(async () => {
    for (const fixture of opened.splice(0)) await fixture.close()
  })

  test('an event arrives as it was sent, to every queue bound to its type', async () => {
    const { broker } = await start()
    const [all, items, bids] = [recorder(), recorder(), recorder()]
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 10 }, all.handle)
    await broker.subscribe({ name: 'items', bindings: ['item.*'], prefetch: 10 }, items.handle)
    await broker.subscribe({ name: 'bids', bindings: ['bid.placed'], prefetch: 10 }, bids.handle)
    const sent = event({ headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } })
    await broker.publish([sent])
    await Promise.all([all.until(1), bids.until(1)])
    const [got] = bids.seen
    expect({ ...got, payload: new Uint8Array(got?.payload ?? []) }).toEqual({
      ...sent,
      redelivered: false,
    })
    await broker.publish([event({ type: 'item.ended' })])
    await Promise.all([all.until(2), items.until(1)])
    expect([all.seen.length, items.seen.length, bids.seen.length]).toEqual([2, 1, 1])
  })

  test('no event is safe while a declared queue is missing, whoever else keeps it', async () => {
    const { broker, deleteQueue } = await start()
    const [others, before, after] = [recorder(), recorder(), recorder()]
    await broker.declare(keptQueue)
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 10 }, others.handle)
    const kept = await broker.subscribe({ ...keptQueue, prefetch: 10 }, before.handle)
    const [first, second] = [event(), event()]
    await broker.publish([first])
    await before.until(1)
    await kept.stop()
    await deleteQueue(keptQueue.name)
    if (keepsNothing) await expect(broker.check()).rejects.toThrow(keptQueue.name)
    if (keepsNothing) await expect(broker.publish([second])).rejects.toThrow(UnroutableError)
    // As the relay does: again, until it is safe.
    const safe = eventually(() => broker.publish([second]))
    await others.until(2)
    await broker.subscribe({ ...keptQueue, prefetch: 10 }, after.handle)
    await safe
    await after.until(1)
    expect(new Set(ids(after.seen))).toEqual(new Set([second.id]))
    await broker.check()
  })

  test('order is kept over many publishes and batches, and no batch exceeds the prefetch', async () => {
    const { broker } = await start()
    const all = recorder()
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 50 }, all.handle)
    const sent = events(2_000)
    const publishes: Promise<void>[] = []
    for (let from = 0; from < sent.length; from += 100) {
      publishes.push(broker.publish(sent.slice(from, from + 100)))
    }
    await Promise.all(publishes)
    await all.until(sent.length)
    expect(ids(all.seen)).toEqual(ids(sent))
    expect(Math.max(...all.batches.map((batch) => batch.length))).toBeLessThanOrEqual(50)
  })

  test('what arrives while the handler is busy is the next batch', async () => {
    const { broker } = await start()
    const busy = Promise.withResolvers<void>()
    const all = recorder((batch) => (batch.length === 1 ? busy.promise : undefined))
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 100 }, all.handle)
    const first = broker.publish([event()])
    await vi.waitFor(() => expect(all.batches).toHaveLength(1))
    const rest = broker.publish(events(20))
    // The next batch forms when the first ends: by then RabbitMQ must have delivered all of it.
    const marker = recorder()
    await broker.subscribe(
      { name: 'marker', bindings: ['item.updated'], prefetch: 1 },
      marker.handle,
    )
    const last = broker.publish([event({ type: 'item.updated' })])
    await marker.until(1)
    await new Promise(setImmediate)
    busy.resolve()
    await Promise.all([first, rest, last])
    await all.until(22)
    expect(all.batches.length).toBeLessThanOrEqual(4)
  })

  test('an unroutable event rejects with its id, and the others of the call are safe', async () => {
    const { broker } = await start()
    const bids = recorder()
    await broker.subscribe({ name: 'bids', bindings: ['bid.*'], prefetch: 10 }, bids.handle)
    const batch = [event(), event({ type: 'item.created' }), event(), event({ type: 'item.ended' })]
    const error = await broker.publish(batch).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UnroutableError)
    expect(error).toMatchObject({ eventIds: [batch[1]?.id, batch[3]?.id] })
    await bids.until(2)
    expect(ids(bids.seen)).toEqual([batch[0]?.id, batch[2]?.id])
    await broker.publish([event()])
  })

  test('a transient failure gives the same batch again and nothing to the dead queue', async () => {
    const { broker, deadLetters } = await start()
    let failures = 0
    const all = recorder(() => {
      failures += 1
      if (failures <= 3) throw new TransientError('database unavailable')
    })
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 10 }, all.handle)
    const sent = events(3)
    await broker.publish(sent)
    await all.until(3)
    expect(ids(all.seen)).toEqual(ids(sent))
    expect(all.batches[1]).toEqual(all.batches[0])
    expect(all.batches[2]).toEqual(all.batches[0])
    expect(await deadLetters('all')).toEqual([])
  })

  test('poison events go to the dead queue alone, once each; all others are handled in order', async () => {
    const { broker, deadLetters } = await start()
    const sent = events(100)
    const poison = new Set([sent[0]?.id, sent[41]?.id, sent[42]?.id, sent[99]?.id])
    const all = recorder((batch) => {
      if (batch.some(({ id }) => poison.has(id))) throw new Error('undecodable')
    })
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 64 }, all.handle)
    await broker.publish(sent)
    await all.until(96)
    expect(ids(all.seen)).toEqual(ids(sent).filter((id) => !poison.has(id)))
    await vi.waitFor(async () => {
      expect(await deadLetters('all')).toEqual(
        [...poison].map((id) => ({ id, error: 'undecodable' })),
      )
    })
  })

  test('stop waits for the batch in hand; what was not handled comes again', async () => {
    const { broker } = await start()
    const busy = Promise.withResolvers<void>()
    const first = recorder(() => busy.promise)
    const subscription = await broker.subscribe(
      { name: 'all', bindings: ['#'], prefetch: 5 },
      first.handle,
    )
    const sent = events(20)
    const published = broker.publish(sent).catch((reason: unknown) => reason)
    await vi.waitFor(() => expect(first.batches).toHaveLength(1))
    const stop = subscription.stop()
    const next = new Promise((resolve) => setImmediate(resolve, 'still waiting'))
    expect(await Promise.race([stop, next])).toBe('still waiting')
    busy.resolve()
    await stop
    expect(first.batches).toHaveLength(1)
    const second = recorder()
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 5 }, second.handle)
    // Memory gives the rest back to its publisher, which tries again; RabbitMQ kept it.
    expect((await published) instanceof TransientError).toBe(keepsNothing)
    if (keepsNothing) await broker.publish(sent.slice(first.seen.length))
    await second.until(sent.length - first.seen.length)
    expect([...ids(first.seen), ...ids(second.seen)]).toEqual(ids(sent))
  })

  test('two subscriptions of one queue share its events', async () => {
    const { broker } = await start()
    const [one, two] = [recorder(), recorder()]
    await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 5 }, one.handle)
    const other = await broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 5 }, two.handle)
    const sent = events(200)
    await broker.publish(sent)
    const seen = () => [...ids(one.seen), ...ids(two.seen)]
    await vi.waitFor(() => expect(seen().toSorted()).toEqual(ids(sent).toSorted()), {
      timeout: 10_000,
    })
    await other.stop()
    await broker.publish(events(10))
    await vi.waitFor(() => expect(seen()).toHaveLength(210), { timeout: 10_000 })
  })

  test('check says whether the broker can be used; a closed one rejects as transient', async () => {
    const { broker } = await start()
    await broker.check()
    await broker.close()
    await expect(broker.check()).rejects.toBeInstanceOf(TransientError)
    const all = recorder()
    await expect(
      broker.subscribe({ name: 'all', bindings: ['#'], prefetch: 5 }, all.handle),
    ).rejects.toBeInstanceOf(TransientError)
    await expect(broker.publish([event()])).rejects.toBeInstanceOf(TransientError)
  })

  test('publishing nothing resolves', async () => {
    const { broker } = await start()
    await expect(broker.publish([])).resolves.toBeUndefined()
  })
})
