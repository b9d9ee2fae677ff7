/**
 * RabbitMQ for tests: a broker in a namespace of its own, looked at and cleaned up through a second, plain
 * connection, so that any number of test files share one server.
 */
import { randomUUID } from 'node:crypto'
import { connect } from 'amqplib'
import type { Channel, GetMessage } from 'amqplib'
import { inject } from 'vitest'
import { connectRabbitBroker } from '../broker/broker-rabbitmq.ts'
import type { RabbitBrokerOptions } from '../broker/broker-rabbitmq.ts'
import type { Broker, BrokerLog, DurableQueue, Exchanges, QueueSpec } from '../broker/broker.ts'
import { topologyOf } from '../broker/rabbitmq-topology.ts'
import type { Topology } from '../broker/rabbitmq-topology.ts'

export const exchanges: Exchanges = { events: 'test.events', dead: 'test.dead' }
/** Kept, and bound to everything. */
export const keptQueue: DurableQueue = { name: 'kept', bindings: ['#'] }

export const silentLog: BrokerLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

export type TestRabbit = {
  broker: Broker
  topology: Topology
  /** A plain channel of its own connection. */
  admin: Channel
  /** All dead letters of a queue since the start, in order. */
  deadLetters: (queue: string) => Promise<readonly GetMessage[]>
  /** Closes the broker and deletes everything it declared. */
  close: () => Promise<void>
}

/** Connects a broker in a fresh namespace; `over` may send it through a proxy or give it another log. */
export async function startTestRabbit(
  over: Partial<RabbitBrokerOptions> = {},
): Promise<TestRabbit> {
  const namespace = over.namespace ?? `test-${randomUUID()}`
  const topology = topologyOf(exchanges, namespace)
  const url = inject('amqpUrl')
  const connection = await connect(url)
  const admin = await connection.createChannel()
  const real = await connectRabbitBroker({ url, exchanges, log: silentLog, ...over, namespace })
  const queues = new Set<string>()
  const dead = new Map<string, GetMessage[]>()
  const broker: Broker = {
    ...real,
    subscribe: (queue: QueueSpec, handle) => {
      queues.add(topology.name(queue.name))
      return real.subscribe(queue, handle)
    },
  }
  return {
    broker,
    topology,
    admin,
    deadLetters: async (queue) => {
      const letters = dead.get(queue) ?? []
      dead.set(queue, letters)
      for (;;) {
        const letter = await admin.get(`${topology.name(queue)}.dead`, { noAck: true })
        if (letter === false) return letters
        letters.push(letter)
      }
    },
    close: async () => {
      await real.close()
      for (const queue of queues) {
        await admin.deleteQueue(queue)
        await admin.deleteQueue(`${queue}.dead`)
      }
      await admin.deleteExchange(topology.events)
      await admin.deleteExchange(topology.dead)
      await connection.close()
    },
  }
}
