/**
 * The broker contract on RabbitMQ (3.10 or later), with amqplib. What must stay true: a publish resolves
 * only after confirms for all of its events and returns for none; after any loss the topology is declared
 * and every subscription is open again before the new connection is used.
 */
import type { ChannelModel } from 'amqplib'
import type { BatchHandler, Broker, BrokerLog, QueueSpec, Subscription } from './broker.ts'
import { TransientError } from './errors.ts'
import { connectRabbit } from './rabbitmq-connection.ts'
import type { RabbitConnection } from './rabbitmq-connection.ts'
import { createConsumer } from './rabbitmq-consumer.ts'
import type { Consumer } from './rabbitmq-consumer.ts'
import { toLetter } from './rabbitmq-message.ts'
import type { Letter } from './rabbitmq-message.ts'
import { createPublisher } from './rabbitmq-publisher.ts'
import type { Publisher } from './rabbitmq-publisher.ts'
import { declareExchanges, topologyOf } from './rabbitmq-topology.ts'
import type { Topology } from './rabbitmq-topology.ts'
import { withTimeLimit } from './time-limit.ts'

/** Longest wait of a readiness check: a probe asks again soon. */
const CHECK_TIMEOUT_MS = 2_000

export type RabbitBrokerOptions = {
  /** `amqp://` or `amqps://`, with user, password and vhost. Never logged with its password. */
  url: string
  log: BrokerLog
  /** Put before every exchange and queue name: tests share a broker without meeting. */
  namespace?: string
  /** Ends the wait for a broker that is away; the call then rejects. */
  signal?: AbortSignal
  /** Longest wait for confirms; for tests. */
  confirmTimeoutMs?: number
}

/** The publisher of the connection in use, replaced with it. */
type Publishing = {
  open: (model: ChannelModel, link: RabbitConnection) => Promise<void>
  publish: (exchange: string, letters: readonly Letter[]) => Promise<void>
  check: () => Promise<void>
}

/** Connects, waiting for a broker that is away with a log line per attempt. */
export async function connectRabbitBroker(options: RabbitBrokerOptions): Promise<Broker> {
  const { url, log, namespace, signal } = options
  const topology = topologyOf(namespace)
  const consumers = new Set<Consumer>()
  const { open, publish, check } = publishing(topology, options.confirmTimeoutMs)
  const link = await connectRabbit({
    url,
    log,
    ...(signal && { signal }),
    setup: async (model, connection) => {
      await open(model, connection)
      for (const consumer of consumers) await consumer.open(model)
    },
  })

  async function subscribe(queue: QueueSpec, handle: BatchHandler): Promise<Subscription> {
    const publishDeadLetter = (letter: Letter) => publish(topology.dead, [letter])
    const consumer = createConsumer({ link, topology, queue, handle, log, publishDeadLetter })
    await openOnce(consumer, link)
    consumers.add(consumer)
    return {
      stop: async () => {
        consumers.delete(consumer)
        await consumer.stop()
      },
    }
  }

  return {
    publish: (events) => publish(topology.events, events.map(toLetter)),
    subscribe,
    check,
    close: async () => {
      await Promise.all([...consumers].map((consumer) => consumer.stop()))
      consumers.clear()
      await link.close()
    },
  }
}

function publishing(topology: Topology, confirmTimeoutMs?: number): Publishing {
  let current: { publisher: Publisher; ping: () => Promise<unknown> } | undefined
  return {
    open: async (model, link) => {
      const channel = await model.createConfirmChannel()
      // Refusals are told to the RPC that met them; unheard, the event would end the process.
      channel.on('error', () => undefined)
      await declareExchanges(channel, topology)
      const publisher = createPublisher(channel, () => link.restart(model), confirmTimeoutMs)
      const opened = { publisher, ping: () => channel.checkExchange(topology.events) }
      channel.on('close', () => {
        if (current === opened) current = undefined
      })
      link.guard(model, channel)
      current = opened
    },
    publish: (exchange, letters) =>
      current ? current.publisher.publish(exchange, letters) : Promise.reject(away()),
    check: async () => {
      if (!current) throw away()
      await withTimeLimit(current.ping(), CHECK_TIMEOUT_MS, 'RabbitMQ')
    },
  }
}

/** Opens on the connection in use, and on the next one when it is lost meanwhile. */
async function openOnce(consumer: Consumer, link: RabbitConnection): Promise<void> {
  for (;;) {
    const model = await link.model()
    try {
      return await consumer.open(model)
    } catch (error) {
      // With the connection still there, the queue itself was refused: waiting would not mend it.
      if (link.isCurrent(model)) throw error
    }
  }
}

function away(): TransientError {
  return new TransientError('RabbitMQ is away')
}
