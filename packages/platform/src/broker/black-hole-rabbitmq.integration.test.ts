/** A connection to RabbitMQ that has become a black hole: no goodbye, no answer, and new ones work. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { eventually } from '../testing/eventually.ts'
import { idsOf, recorder, startAmqpProxy, testEvent, testEvents } from '../testing/test-brokers.ts'
import { startTestRabbit, keptQueue } from '../testing/test-rabbit.ts'

/** Two or three heartbeats of both sides, on a busy machine. */
const servesAgainMs = 12_000

test('publisher and consumer are back in time, with what was under way, and nothing stays behind', async () => {
  await using cleanup = new AsyncDisposableStack()
  const { proxy, url } = await startAmqpProxy()
  cleanup.defer(proxy.close)
  const namespace = `test-${randomUUID()}`
  const near = await startTestRabbit({ namespace })
  cleanup.defer(near.close)
  const far = await startTestRabbit({ namespace, url })
  cleanup.defer(far.close)
  const busy = Promise.withResolvers<void>()
  const kept = recorder((batch) => (batch.length > 1 ? busy.promise : undefined))
  await far.broker.declare(keptQueue)
  await far.broker.subscribe({ ...keptQueue, prefetch: 10 }, kept.handle)
  const connections = proxy.open()
  // The second batch is in the consumer's hands, and RabbitMQ waits for its acknowledgement.
  const sent = testEvents(5)
  await near.broker.publish(sent)
  await eventually(() => kept.batches.length > 0)
  proxy.swallow()
  busy.resolve()
  const publishing = eventually(() => far.broker.publish([testEvent()]), {
    limitMs: servesAgainMs,
    intervalMs: 50,
  })
  const last = testEvent()
  await near.broker.publish([last])
  await eventually(() => expect(idsOf(kept.seen)).toContain(last.id), { limitMs: servesAgainMs })
  await publishing
  await eventually(() => far.broker.check(), { limitMs: servesAgainMs })
  const batches = kept.batches.flat()
  // Acknowledged into the hole: RabbitMQ finds out by itself and hands them out again.
  await eventually(
    () => {
      const all = kept.batches.flat()
      expect(all.filter((id) => id === sent[4]?.id).length).toBeGreaterThan(1)
    },
    { limitMs: servesAgainMs },
  )
  expect(batches).toContain(last.id)
  await eventually(() => expect(proxy.open()).toBeLessThanOrEqual(connections))
}, 60_000)
