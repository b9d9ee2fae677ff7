/**
 * The broker contract on RabbitMQ (3.10 or later), with amqplib. What must stay true: a publish resolves
 * only after confirms for all of its events, returns for none, and the word of every keeper that its durable
 * queue was there all along: RabbitMQ counts an event as routed when any queue takes it. After any loss
 * everything is declared and every subscription is open again before anybody can publish on the new connection.
 */
import type { ChannelModel } from 'amqplib'
import type {
  BatchHandler,
  Broker,
  BrokerLog,
  DurableQueue,
  Exchanges,
  QueueSpec,
  Subscription,
} from './broker.ts'
import { UnroutableError } from './broker.ts'
import { TransientError } from '../process/errors.ts'
import { connectRabbit } from './rabbitmq-connection.ts'
import type { RabbitConnection } from './rabbitmq-connection.ts'
import { createConsumer } from './rabbitmq-consumer.ts'
import type { Consumer } from './rabbitmq-consumer.ts'
import { createKeeper } from './rabbitmq-keeper.ts'
import type { Keeper } from './rabbitmq-keeper.ts'
import { toLetter } from './rabbitmq-message.ts'
import type { Letter } from './rabbitmq-message.ts'
import { createPublisher } from './rabbitmq-publisher.ts'
import type { Publisher } from './rabbitmq-publisher.ts'
import { declareExchanges, topologyOf } from './rabbitmq-topology.ts'
import type { Topology } from './rabbitmq-topology.ts'
import { withTimeLimit } from '../process/time-limit.ts'

/** Longest wait of a readiness check: a probe asks again soon. */
const CHECK_TIMEOUT_MS = 2_000

export type RabbitBrokerOptions = {
  /** `amqp://` or `amqps://`, with user, password and vhost. Never logged with its password. */
  url: string
  exchanges: Exchanges
  log: BrokerLog
  /** Put before every exchange and queue name: tests share a broker without meeting. */
  namespace?: string
  /** Ends the wait for a broker that is unavailable; the call then rejects. */
  signal?: AbortSignal
  /** Longest wait for confirms; for tests. */
  confirmTimeoutMs?: number
  /** Most messages in an exclusive queue; for tests. */
  exclusiveMaxLength?: number
  /** Between two looks after the declared queues; for tests. */
  lookIntervalMs?: number
}

/** The publisher of the connection in use, replaced with it. */
type Publishing = {
  /** Opens the channel of a new connection; it is published on from the returned call on. */
  open: (model: ChannelModel, link: RabbitConnection) => Promise<() => void>
  publish: (exchange: string, letters: readonly Letter[]) => Promise<void>
  check: () => Promise<void>
}

/** Connects, waiting for a broker that is unavailable with a log line per attempt. */
export async function connectRabbitBroker(options: RabbitBrokerOptions): Promise<Broker> {
  const { url, exchanges, log, namespace, signal, exclusiveMaxLength, lookIntervalMs } = options
  const topology = topologyOf(exchanges, namespace)
  const keepers = new Map<string, Keeper>()
  const consumers = new Set<Consumer>()
  const { open, publish, check } = publishing(topology, options.confirmTimeoutMs)
  const link = await connectRabbit({
    url,
    log,
    ...(signal && { signal }),
    setup: async (model, connection) => {
      const use = await open(model, connection)
      for (const keeper of keepers.values()) await keeper.open(model)
      for (const consumer of consumers) await consumer.open(model)
      use()
    },
  })

  async function declare(queue: DurableQueue): Promise<void> {
    const keeper = createKeeper({ link, topology, queue, log, lookIntervalMs })
    try {
      await onceConnected(link, keeper.open)
      keepers.get(queue.name)?.close()
      keepers.set(queue.name, keeper)
    } catch (error) {
      keeper.close()
      throw error
    }
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
      lookIntervalMs,
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
    publish: (events) =>
      kept([...keepers.values()], () => publish(topology.events, events.map(toLetter))),
    declare,
    subscribe,
    check: async () => {
      await check()
      await Promise.all([...keepers.values()].map((keeper) => keeper.check()))
    },
    close: async () => {
      for (const keeper of keepers.values()) keeper.close()
      await Promise.all([...consumers].map((consumer) => consumer.stop()))
      consumers.clear()
      await link.close()
    },
  }
}

/** Publishes between two looks at the durable queues: what is unroutable is told only when the rest is safe. */
async function kept(keepers: readonly Keeper[], publish: () => Promise<void>): Promise<void> {
  const verifications = keepers.map((keeper) => keeper.watch())
  const unroutable = await publish().catch((error: unknown) => {
    if (error instanceof UnroutableError) return error
    throw error
  })
  await Promise.all(verifications.map((verify) => verify()))
  if (unroutable) throw unroutable
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
      current ? current.publisher.publish(exchange, letters) : Promise.reject(unavailable()),
    check: async () => {
      if (!current) throw unavailable()
      await withTimeLimit(current.ping(), CHECK_TIMEOUT_MS, 'RabbitMQ')
    },
  }
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

function unavailable(): TransientError {
  return new TransientError('RabbitMQ is unavailable')
}
