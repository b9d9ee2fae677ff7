/**
 * How a publisher knows that a durable queue keeps its events, and a consumer that its queue is the one it consumes
 * from. RabbitMQ says "routed" when any queue takes a message, and confirms one whose queue was deleted under it;
 * that a queue exists before and after says nothing of the time between, for whoever notices that it is missing
 * declares it again.
 *
 * So each of them places a witness: an auto-delete exchange of its own between the exchange of events and the queue,
 * whose only way out is the queue. RabbitMQ deletes it with the queue or with that binding, and nobody declares
 * it but its owner. If it still stands after the confirms, the queue was there, and bound, when the messages
 * were routed. Messages take one way or both and arrive once. The name has a number, claimed by an exclusive
 * queue for as long as the connection lasts, so that processes which die leave no more witnesses than ran at
 * once. One question per publish, 0.3 ms; the messages themselves cost nothing more.
 */
import type { Channel, ChannelModel } from 'amqplib'
import type { BrokerLog, DurableQueue } from './broker.ts'
import { messageOf, TransientError } from '../process/errors.ts'
import { closeChannel } from './rabbitmq-connection.ts'
import type { RabbitConnection } from './rabbitmq-connection.ts'
import { declareQueue } from './rabbitmq-topology.ts'
import type { Topology } from './rabbitmq-topology.ts'
import { withTimeLimit } from '../process/time-limit.ts'

/** Publishers and consumers of one queue at once; more than anybody runs. */
const WITNESSES_MAX = 256
/** How soon a queue that is deleted, or a binding, is there again although nobody publishes, and consumed from. */
const LOOK_INTERVAL_MS = 500
/** Longest answer to a question about an exchange. */
const ANSWER_LIMIT_MS = 2_000

export type Keeper = {
  /** Declares the queue on a new connection. Rejects when RabbitMQ refuses it. */
  open: (model: ChannelModel) => Promise<void>
  /** To be called before publishing. Its result resolves when the queue has been there since, and rejects if not. */
  watch: () => () => Promise<void>
  /** Resolves when the queue is there. */
  check: () => Promise<void>
  close: () => void
}

export type KeeperOptions = {
  link: RabbitConnection
  topology: Topology
  queue: DurableQueue
  log: BrokerLog
  /** {@link LOOK_INTERVAL_MS} when left out; for tests. */
  lookIntervalMs?: number | undefined
  /** Called when the queue was missing and has been declared again. */
  mended?: () => void
}

type Witness = { channel: Channel; name: string }

/** A keeper that has declared nothing yet. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { link, topology, queue, log, lookIntervalMs = LOOK_INTERVAL_MS } = options
  let model: ChannelModel | undefined
  let current: Witness | undefined
  let mending: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  async function open(on: ChannelModel): Promise<void> {
    model = on
    current = undefined
    const placed = await placeWitness(on, topology, queue)
    // Otherwise there is another connection by now, with a witness of its own.
    if (model === on) current = placed
    // A failure shows in the next check, and is met again in the next look.
    timer ??= setInterval(() => void look().catch(() => undefined), lookIntervalMs).unref()
  }

  async function mend(): Promise<void> {
    if (model === undefined || !link.isCurrent(model))
      throw new TransientError('RabbitMQ is unavailable')
    if (current !== undefined) void closeChannel(current.channel)
    await open(model)
    log.warn({ queue: queue.name }, 'a durable queue was deleted or unbound: declared again')
    options.mended?.()
  }

  function mendOnce(): Promise<void> {
    mending ??= withTimeLimit(mend(), ANSWER_LIMIT_MS, `declaring queue ${queue.name}`).finally(
      () => (mending = undefined),
    )
    return mending
  }

  async function verify(witness: Witness | undefined): Promise<void> {
    if (witness !== undefined && witness === current) {
      const question = witness.channel.checkExchange(witness.name)
      const stands = withTimeLimit(question, ANSWER_LIMIT_MS, 'RabbitMQ').then(
        () => true,
        () => false,
      )
      if (await stands) return
    }
    if (witness === current) await mendOnce()
    throw new TransientError(`queue ${queue.name} was missing: what was published may not be in it`)
  }

  async function look(): Promise<void> {
    if (model === undefined || !link.isCurrent(model)) return
    await verify(current)
    // It lives by the way over the witness; its own bindings are for when there is no publisher.
    if (current !== undefined) await declareQueue(current.channel, topology, queue)
  }

  return {
    open,
    watch: () => {
      const witness = current
      return () => verify(witness)
    },
    check: () => verify(current),
    close: () => clearInterval(timer),
  }
}

async function placeWitness(
  model: ChannelModel,
  topology: Topology,
  queue: DurableQueue,
): Promise<Witness> {
  for (let number = 0; number < WITNESSES_MAX; number += 1) {
    const channel = await model.createChannel()
    // Refusals are told to the RPC that met them; unheard, the event would end the process.
    channel.on('error', () => undefined)
    const queueName = await declareQueue(channel, topology, queue)
    const name = `${queueName}.witness.${number}`
    if (!(await claim(channel, name))) continue
    // What a process that died has left may have seen other times.
    await channel.deleteExchange(name)
    await channel.assertExchange(name, 'topic', { durable: false, autoDelete: true })
    for (const key of queue.bindings) {
      await channel.bindQueue(queueName, name, key)
      await channel.bindExchange(name, topology.events, key)
    }
    return { channel, name }
  }
  throw new TransientError(
    `queue ${queue.name} has ${WITNESSES_MAX} publishers and consumers already`,
  )
}

/** Whether the name is this connection's; if not, RabbitMQ has closed the channel. */
async function claim(channel: Channel, name: string): Promise<boolean> {
  try {
    await channel.assertQueue(name, { exclusive: true, durable: false })
    return true
  } catch (error) {
    if (!messageOf(error).includes('RESOURCE_LOCKED')) throw error
    return false
  }
}
