/**
 * One subscription on RabbitMQ: takes what has arrived while the handler was busy as the next batch (the
 * prefetch bounds it, no timer forms it) and hands out one batch at a time, across reconnects too, so that
 * order within a key is kept. A message is acknowledged only after its handler succeeded or its dead letter
 * was confirmed. When the channel is lost, what it had delivered is forgotten: RabbitMQ delivers it again, or,
 * from an exclusive queue, never.
 *
 * A durable queue that is deleted is declared and consumed from again. RabbitMQ mostly cancels its consumers then,
 * but not always: when somebody else declares the queue again at the same moment, 3.10 may leave a consumer on the
 * new queue that is told of nothing and given nothing, for ever (once in 20 to 100 deletions on a busy machine). So a
 * consumer has a keeper like a publisher, whose witness vanishes with the queue whatever its consumers are told.
 */
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import type { BatchHandler, BrokerLog, IncomingEvent, QueueSpec, Subscription } from './broker.ts'
import { countDeadLetter, countRetry } from './count-dead-letter.ts'
import { deliverBatch } from './deliver-batch.ts'
import { messageOf } from '../process/errors.ts'
import { closeChannel } from './rabbitmq-connection.ts'
import type { RabbitConnection } from './rabbitmq-connection.ts'
import { createKeeper } from './rabbitmq-keeper.ts'
import { toDeadLetter, toEvent } from './rabbitmq-message.ts'
import type { Letter } from './rabbitmq-message.ts'
import { declareQueue } from './rabbitmq-topology.ts'
import type { Topology } from './rabbitmq-topology.ts'

export type Consumer = Subscription & {
  /** Declares the queue on this connection and consumes from it. Rejects when RabbitMQ refuses. */
  open: (model: ChannelModel) => Promise<void>
}

export type ConsumerOptions = {
  link: RabbitConnection
  topology: Topology
  queue: QueueSpec
  handle: BatchHandler
  publishDeadLetter: (letter: Letter) => Promise<void>
  log: BrokerLog
  /** Most messages in an exclusive queue; for tests. */
  exclusiveMaxLength?: number | undefined
  /** Between two looks after a durable queue; for tests. */
  lookIntervalMs?: number | undefined
}

/** One channel's life: deliveries and acknowledgements belong to the channel they came by. */
type Session = {
  model: ChannelModel
  channel: Channel
  consumerTag: string
  arrived: ConsumeMessage[]
  lost: AbortController
  /** The queue is gone, and what has arrived is all that is left of it: it outlives the channel. */
  cancelled: boolean
  release: () => void
}

type Item = { message: ConsumeMessage; event: IncomingEvent }

/** A consumer that is not open yet. */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { link, queue } = options
  const keeper = queue.exclusive
    ? undefined
    : createKeeper({ ...options, queue, mended: reopenAll })
  const stopping = new AbortController()
  /** Oldest first; all but the last are cancelled. */
  const sessions = new Set<Session>()
  /** How often the queue was missing. */
  let mendings = 0
  let running: Promise<void> | undefined
  let waitsFor: string | undefined

  const tell = (reason: string | undefined) => void (waitsFor = reason)

  async function run(): Promise<void> {
    // Frames of one read are dispatched in one go: after this, all of them have arrived.
    await Promise.resolve()
    for (;;) {
      const from = [...sessions].find(({ arrived }) => arrived.length > 0)
      if (from === undefined || stopping.signal.aborted) break
      await deliver(options, from, stopping.signal, tell)
    }
    for (const session of sessions) if (session.cancelled) sessions.delete(session)
    running = undefined
  }

  async function open(model: ChannelModel): Promise<void> {
    await keeper?.open(model)
    await consume(model)
  }

  async function consume(model: ChannelModel): Promise<void> {
    const before = mendings
    const opened = await openSession(options, model, {
      arrived: (session) => {
        sessions.add(session)
        running ??= run()
      },
      cancelled: (session) => void reopen(session),
      lost: (session) => sessions.delete(session),
    })
    // Stopped while a new connection was being set up: these deliveries go back.
    if (stopping.signal.aborted) return await closeChannel(opened.channel)
    opened.release = link.guard(model, opened.channel).release
    sessions.add(opened)
    // It may be the old queue that has answered.
    if (mendings !== before) void reopen(opened)
  }

  /** The queue was missing, and is there again. */
  function reopenAll(): void {
    mendings += 1
    for (const session of sessions) void reopen(session)
  }

  /**
   * Declares the queue again, at once; the connection's other subscriptions, and who publishes there, notice
   * nothing. What the old queue had delivered exists nowhere else, so it is still handled, before anything new. The
   * old channel ends first: what it may have of the new queue goes back before somebody takes what comes after.
   */
  async function reopen(opened: Session): Promise<void> {
    const { model, channel, cancelled } = opened
    if (cancelled) return
    opened.cancelled = true
    opened.release()
    await closeChannel(channel)
    // Nothing (more) may be there to do: then this forgets it.
    running ??= run()
    try {
      // Mends what was not seen yet, so that no mending follows that would open once more.
      await keeper?.check().catch(() => undefined)
      if (!stopping.signal.aborted) await consume(model)
    } catch {
      link.restart(model)
    }
  }

  async function stop(): Promise<void> {
    stopping.abort()
    keeper?.close()
    await closeAll([...sessions], () => running)
  }

  return { open, waitsFor: () => waitsFor, stop }
}

/** What happens to a session, the first of it perhaps before it is returned. */
type SessionEvents = Record<'arrived' | 'cancelled' | 'lost', (session: Session) => void>

/** On a channel of its own: declares the queue and consumes from it. */
async function openSession(
  { topology, queue, exclusiveMaxLength, log }: ConsumerOptions,
  model: ChannelModel,
  on: SessionEvents,
): Promise<Session> {
  const channel = await model.createChannel()
  // Refusals are told to the RPC that met them; unheard, the event would end the process.
  channel.on('error', () => undefined)
  const name = await declareQueue(channel, topology, queue, exclusiveMaxLength)
  await channel.prefetch(queue.prefetch)
  const opened: Session = {
    model,
    channel,
    consumerTag: '',
    arrived: [],
    lost: new AbortController(),
    cancelled: false,
    release: () => undefined,
  }
  channel.on('close', () => {
    if (opened.cancelled) return
    opened.arrived.length = 0
    opened.lost.abort()
    on.lost(opened)
  })
  const { consumerTag } = await channel.consume(name, (message) => {
    if (message === null) {
      log.warn({ queue: queue.name }, 'RabbitMQ cancelled the consumer (queue deleted?)')
      return on.cancelled(opened)
    }
    opened.arrived.push(message)
    on.arrived(opened)
  })
  opened.consumerTag = consumerTag
  return opened
}

async function closeAll(
  sessions: readonly Session[],
  running: () => Promise<void> | undefined,
): Promise<void> {
  for (const { release } of sessions) release()
  // Cancelled first: what is returned by closing must not come back to this very consumer.
  const consuming = sessions.filter(({ cancelled }) => !cancelled)
  await Promise.all(
    consuming.map(({ channel, consumerTag }) =>
      channel.cancel(consumerTag).catch(ignoreLostChannel),
    ),
  )
  await running()
  await Promise.all(sessions.map(({ channel }) => closeChannel(channel)))
}

async function deliver(
  { topology, queue, handle, publishDeadLetter, log }: ConsumerOptions,
  session: Session,
  stopping: AbortSignal,
  tell: (waitsFor: string | undefined) => void,
): Promise<void> {
  const batch = session.arrived.splice(0).map((message) => ({ message, event: toEvent(message) }))
  let failing = false
  await deliverBatch<Item>(batch, {
    signal: AbortSignal.any([stopping, session.lost.signal]),
    handle: (items) => handle(items.map(({ event }) => event)),
    deadLetter: async ({ message, event }, error) => {
      const fields = { queue: queue.name, eventId: event.id, type: event.type, err: error }
      if (queue.exclusive) {
        log.error(fields, 'event given up and dropped')
      } else {
        await publishDeadLetter(toDeadLetter(message, topology.name(queue.name), error))
        log.error(fields, 'event put into the dead queue')
      }
      countDeadLetter(queue.name, event.type)
    },
    settled: (items) => {
      failing = false
      tell(undefined)
      const last = items.at(-1)
      if (last !== undefined) acknowledgeUpTo(session, last.message)
    },
    retrying: (error, attempt, delayMs) => {
      countRetry(queue.name)
      tell(messageOf(error))
      if (failing) return
      failing = true
      const fields = { queue: queue.name, events: batch.length, attempt, delayMs }
      log.warn({ ...fields, reason: messageOf(error) }, 'events wait: their handler fails for now')
    },
  })
  tell(undefined)
}

/** Everything before it on the channel is settled as well: batches and their parts are in order. */
function acknowledgeUpTo({ channel, lost }: Session, message: ConsumeMessage): void {
  if (lost.signal.aborted) return
  try {
    channel.ack(message, true)
  } catch (error) {
    ignoreLostChannel(error)
  }
}

/** The channel is closing: RabbitMQ takes back what it had delivered and delivers it again. */
function ignoreLostChannel(_error: unknown): void {}
