/**
 * One connection to RabbitMQ that comes back by itself. There is one way to recover from every surprise
 * (connection lost, channel closed by the server, consumer cancelled, confirms missing): close the
 * connection and let amqplib build a new one, running `setup` before anybody may use it. It is used for
 * publishing and consuming: no Bidmesh process does much of both, so one does not throttle the other.
 */
import { Socket } from 'node:net'
import { connect } from 'amqplib'
import type { Channel, ChannelModel } from 'amqplib'
import type { BrokerLog } from './broker.ts'
import { errorCode, messageOf, TransientError } from '../process/errors.ts'
import { withTimeLimit } from '../process/time-limit.ts'

/** First wait before connecting again, doubled each time: a restarted broker is used soon … */
const RECONNECT_MIN_MS = 100
/** … and one that is unavailable for long is asked, and logged about, every few seconds. */
const RECONNECT_MAX_MS = 3_000
/** Longest TCP connect and handshake: a host that swallows packets must not hang the start. */
const CONNECT_TIMEOUT_MS = 5_000
/** Longest set-up of a new connection: a few declarations, milliseconds each on a broker in good health. */
const SETUP_TIMEOUT_MS = 10_000
/**
 * A peer that vanished without a goodbye is noticed after two to three of these, by either side: RabbitMQ then
 * gives what it had delivered there to somebody else. RabbitMQ's guide warns of false alarms below 5 s: one costs a
 * new connection and repeated deliveries, which change nothing, and three seconds took up to 10.4 s to notice.
 */
const HEARTBEAT_S = 2
/** How soon the system asks an idle connection whether its peer is there. */
const KEEPALIVE_DELAY_MS = 2_000
/** Longest wait for a polite goodbye: a stopping process has 10 s for everything. */
const CLOSE_TIMEOUT_MS = 2_000

export type RabbitConnection = {
  /** The connection in use; waits for the next one while there is none. Rejects once closed. */
  model: () => Promise<ChannelModel>
  /** `model` is still the connection in use. */
  isCurrent: (model: ChannelModel) => boolean
  /** Throws the connection away, and amqplib makes a new one. Nothing happens if it is gone already. */
  restart: (model: ChannelModel) => void
  /** From now on the loss of `channel` alone counts as the loss of the connection, unless released. */
  guard: (model: ChannelModel, channel: Channel) => { release: () => void }
  close: () => Promise<void>
}

export type RabbitConnectionOptions = {
  url: string
  log: BrokerLog
  /** Declares topology and opens channels on a new connection. A rejection counts as a failed attempt. */
  setup: (model: ChannelModel, link: RabbitConnection) => Promise<void>
  signal?: AbortSignal
}

/** Connects; waits for ever for a broker that is unavailable, with a log line per attempt, until `signal` aborts. */
export async function connectRabbit(options: RabbitConnectionOptions): Promise<RabbitConnection> {
  const { log, setup, signal } = options
  const where = withoutPassword(options.url)
  let current: ChannelModel | undefined
  let ready = nextModel()

  const connection = await connect(withHeartbeat(options.url), {
    timeout: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveDelay: KEEPALIVE_DELAY_MS,
    recovery: {
      waitForConnect: false,
      initialDelay: RECONNECT_MIN_MS,
      maxDelay: RECONNECT_MAX_MS,
      setup: async (model: ChannelModel) => {
        // Until amqplib listens itself, an unheard 'error' would end the process.
        model.on('error', () => undefined)
        // A broker that is still starting may take a declaration and never answer it.
        try {
          await withTimeLimit(setup(model, link), SETUP_TIMEOUT_MS, 'declaring the topology')
        } catch (error) {
          await hangUp(model)
          throw error
        }
      },
    },
  })
  connection.on('connect', (model) => {
    log.info({ url: where }, 'connected to RabbitMQ')
    current = model
    ready.resolve(model)
  })
  connection.on('disconnect', (error) => {
    log.warn({ url: where, reason: messageOf(error) }, 'lost RabbitMQ, connecting again')
    // amqplib says goodbye and waits for the answer, which a peer that has vanished never gives.
    if (current) destroySocket(current, 'lost')
    current = undefined
    ready = nextModel()
  })
  connection.on('reconnect-scheduled', ({ attempt, error }) => {
    // Node's error for a name with several addresses has no message of its own.
    const reason = messageOf(error) || (errorCode(error) ?? error.name)
    log.warn(
      { url: where, attempt, reason },
      'waiting for RabbitMQ: is it running, is AMQP_URL right?',
    )
  })
  connection.on('blocked', (reason) => {
    log.warn({ url: where, reason }, 'RabbitMQ takes no messages: memory or disk alarm')
  })
  connection.on('unblocked', () => log.info({ url: where }, 'RabbitMQ takes messages again'))
  // The connection closes right after, which is what counts.
  connection.on('error', () => undefined)

  const link: RabbitConnection = {
    model: () => ready.promise,
    isCurrent: (model) => current === model,
    restart: (model) => {
      if (current === model) void hangUp(model)
    },
    guard: (model, channel) => guardChannel(link, log, model, channel),
    close: async () => {
      ready.reject(new TransientError('the broker connection is closed'))
      ready = nextModel()
      ready.reject(new TransientError('the broker connection is closed'))
      current = undefined
      // Without an answer the socket dies with the process.
      await withTimeLimit(connection.close(), CLOSE_TIMEOUT_MS, 'closing').catch(() => undefined)
    },
  }
  const giveUp = () => void link.close()
  signal?.addEventListener('abort', giveUp, { once: true })
  if (signal?.aborted) giveUp()
  await connection.waitForConnect()
  signal?.removeEventListener('abort', giveUp)
  return link
}

/**
 * Closes politely, or cuts the line when the goodbye is not answered: a broker that has just recovered may
 * go on with heartbeats and answer nothing else, and amqplib would wait for it for ever.
 */
async function hangUp(model: ChannelModel): Promise<void> {
  try {
    await withTimeLimit(model.close(), CLOSE_TIMEOUT_MS, 'closing')
  } catch (error) {
    destroySocket(model, `no answer: ${messageOf(error)}`)
  }
}

function destroySocket(model: ChannelModel, reason: string): void {
  const stream: unknown = Reflect.get(model.connection, 'stream')
  if (stream instanceof Socket) stream.destroy(new Error(reason))
}

/**
 * Resolves when the channel is closed, by this call or in any other way. amqplib's own `close()` stays pending
 * for ever when the connection is lost before RabbitMQ has answered it.
 */
export function closeChannel(channel: Channel): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  channel.once('close', () => resolve())
  // It rejects on a channel that is closed already.
  channel.close().catch(() => resolve())
  return promise
}

function guardChannel(
  link: RabbitConnection,
  log: BrokerLog,
  model: ChannelModel,
  channel: Channel,
) {
  const reasons: string[] = []
  const onError = (error: Error) => reasons.push(messageOf(error))
  const onClose = () => {
    // A lost connection closes its channels first: only later is it known which of the two happened.
    setImmediate(() => {
      if (!link.isCurrent(model)) return
      log.warn({ reason: reasons[0] ?? 'closed' }, 'RabbitMQ closed a channel, connecting again')
      link.restart(model)
    })
  }
  channel.on('error', onError)
  channel.on('close', onClose)
  return { release: () => void channel.off('close', onClose) }
}

function nextModel(): PromiseWithResolvers<ChannelModel> {
  const next = Promise.withResolvers<ChannelModel>()
  // Rejected on close, perhaps with nobody waiting.
  next.promise.catch(() => undefined)
  return next
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  if (!parsed.searchParams.has('heartbeat'))
    parsed.searchParams.set('heartbeat', String(HEARTBEAT_S))
  return parsed.href
}

function withoutPassword(url: string): string {
  const { protocol, username, host, pathname } = new URL(url)
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`
}
