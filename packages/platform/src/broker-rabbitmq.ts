/**
 * The broker contract on RabbitMQ (3.10 or later), with amqplib. What must stay true: a publish resolves
 * only after confirms for all of its events and returns for none; after any loss everything is declared and
 * every subscription is open again before anybody can publish on the new connection. Otherwise an event that
 * an exclusive queue takes would count as routed while the durable queue it must reach is missing.
 */
import type { ChannelModel } from 'amqplib'
import type {
  BatchHandler,
  Broker,
  BrokerLog,
  DurableQueue,
  QueueSpec,
  Subscription,
} from './broker.ts'
import { TransientError } from './errors.ts'
import { closeChannel, connectRabbit } from './rabbitmq-connection.ts'
import type { RabbitConnection } from './rabbitmq-connection.ts'
import { createConsumer } from './rabbitmq-consumer.ts'
import type { Consumer } from './rabbitmq-consumer.ts'
import { toLetter } from './rabbitmq-message.ts'
import type { Letter } from './rabbitmq-message.ts'
import { createPublisher } from './rabbitmq-publisher.ts'
import type { Publisher } from './rabbitmq-publisher.ts'
import { declareExchanges, declareQueue, topologyOf } from './rabbitmq-topology.ts'
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
  /** Most messages in an exclusive queue; for tests. */
  exclusiveMaxLength?: number
}

/** The publisher of the connection in use, replaced with it. */
type Publishing = {
  /** Opens the channel of a new connection; it is published on from the returned call on. */
  open: (model: ChannelModel, link: RabbitConnection) => Promise<() => void>
  publish: (exchange: string, letters: readonly Letter[]) => Promise<void>
  check: () => Promise<void>
}

/** Connects, waiting for a broker that is away with a log line per attempt. */
export async function connectRabbitBroker(options: RabbitBrokerOptions): Promise<Broker> {
  const { url, log, namespace, signal, exclusiveMaxLength } = options
  const topology = topologyOf(namespace)
  const declared = new Set<DurableQueue>()
  const consumers = new Set<Consumer>()
  const { open, publish, check } = publishing(topology, options.confirmTimeoutMs)
  const link = await connectRabbit({
    url,
    log,
    ...(signal && { signal }),
    setup: async (model, connection) => {
      const use = await open(model, connection)
      for (const queue of declared) await declareOn(model, topology, queue)
      for (const consumer of consumers) await consumer.open(model)
      use()
    },
  })

  async function declare(queue: DurableQueue): Promise<void> {
    await onceConnected(link, (model) => declareOn(model, topology, queue))
    declared.add(queue)
  }

  async function subscribe(queue: QueueSpec, handle: BatchHandler): Promise<Subscription> {
    const publishDeadLetter = (letter: Letter) => publish(topology.dead, [letter])
    const consumer = createConsumer({
      link,
      topology,
      queue,
      handle,
      log,
      publishDeadLetter,
      exclusiveMaxLength,
    })
    await onceConnected(link, consumer.open)
    consumers.add(consumer)
    return {
      waitsFor: consumer.waitsFor,
      stop: async () => {
        consumers.delete(consumer)
        await consumer.stop()
      },
    }
  }

  return {
    publish: (events) => publish(topology.events, events.map(toLetter)),
    declare,
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
      let closed = false
      channel.on('close', () => {
        closed = true
        if (current === opened) current = undefined
      })
      link.guard(model, channel)
      return () => {
        // The guard looks after the connection in use only, which this one is about to be.
        if (closed) throw new TransientError('RabbitMQ closed the channel while it was set up')
        current = opened
      }
    },
    publish: (exchange, letters) =>
      current ? current.publisher.publish(exchange, letters) : Promise.reject(away()),
    check: async () => {
      if (!current) throw away()
      await withTimeLimit(current.ping(), CHECK_TIMEOUT_MS, 'RabbitMQ')
    },
  }
}

/** On a channel of its own: a queue that is refused takes the channel with it. */
async function declareOn(
  model: ChannelModel,
  topology: Topology,
  queue: DurableQueue,
): Promise<void> {
  const channel = await model.createChannel()
  // Refusals are told to the RPC that met them; unheard, the event would end the process.
  channel.on('error', () => undefined)
  await declareQueue(channel, topology, queue)
  await closeChannel(channel)
}

/** Acts on the connection in use, and on the next one when it is lost meanwhile. */
async function onceConnected(
  link: RabbitConnection,
  act: (model: ChannelModel) => Promise<void>,
): Promise<void> {
  for (;;) {
    const model = await link.model()
    try {
      return await act(model)
    } catch (error) {
      // With the connection still there, the queue itself was refused: waiting would not mend it.
      if (link.isCurrent(model)) throw error
    }
  }
}

function away(): TransientError {
  return new TransientError('RabbitMQ is away')
}
