/**
 * The only module that knows ioredis. Redis is disposable here: nothing is lost without it, so a command
 * must fail fast rather than wait for it, and the caller goes on without. The connection comes back by
 * itself; each change between up and down is one log line.
 */
import type { Redis } from 'ioredis'
import { messageOf } from '../process/errors.ts'
import type { Log } from '../process/log.ts'

export type { Redis }

export type RedisOptions = {
  log: Log
  /** Put before every key, so that several systems or tests can share one Redis. */
  keyPrefix?: string
}

/** A cache slower than the Postgres query it stands for (1–5 ms) is no use; this is the stalled case. */
const COMMAND_LIMIT_MS = 200
/**
 * Longest silence after a command: then the connection is a black hole and gets replaced. Ten commands' worth, so
 * that a pause of this process or of Redis does not cost the connection.
 */
const SILENCE_LIMIT_MS = 2_000
/** How soon the system asks an idle connection whether its peer is there. */
const KEEPALIVE_DELAY_MS = 2_000
/** A connection attempt that hangs must not delay the next one. */
const CONNECT_LIMIT_MS = 1_000
/** Back-off between attempts: soon enough to use a Redis that is back, rare enough to cost nothing. */
const RECONNECT_FIRST_MS = 50
const RECONNECT_MOST_MS = 2_000
/** How often a listener asks whether its connection still carries anything: silence looks like no news. */
const LISTENER_PING_MS = 5_000
/** One unanswered ping may be this process's own pause; two in a row are a dead connection. */
const LISTENER_PINGS_MISSED_MAX = 2

/**
 * Connects in the background and does not wait for it. While Redis is unavailable commands reject immediately
 * (see {@link redisUp}); a command in flight rejects after 200 ms, and after 2 s without a word the connection is
 * replaced. The caller calls `disconnect()`.
 */
export async function connectRedis(
  url: string,
  { log, keyPrefix = '' }: RedisOptions,
): Promise<Redis> {
  // Loaded when it is needed: standalone has no use for it.
  const { Redis: Client } = await import('ioredis')
  const redis = new Client(url, {
    keyPrefix,
    commandTimeout: COMMAND_LIMIT_MS,
    connectTimeout: CONNECT_LIMIT_MS,
    socketTimeout: SILENCE_LIMIT_MS,
    keepAlive: KEEPALIVE_DELAY_MS,
    enableOfflineQueue: false,
    // A command that was in flight when the connection broke fails; it is not sent again later.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // ioredis forgets the channels, and rejects where nobody can catch it, when the connection breaks again
    // while it resubscribes. `listenRedis` does it itself.
    autoResubscribe: false,
    retryStrategy: (attempt) => Math.min(RECONNECT_FIRST_MS * 2 ** attempt, RECONNECT_MOST_MS),
  })
  let saidDown = false
  let reason = 'connection closed'
  redis.on('error', (error: unknown) => {
    reason = messageOf(error) || reason
  })
  redis.on('close', () => {
    if (!saidDown) log.warn({ reason }, 'Redis is unavailable: going on without it')
    saidDown = true
  })
  redis.on('ready', () => {
    log.info(saidDown ? 'Redis is back' : 'Redis is connected')
    saidDown = false
    reason = 'connection closed'
  })
  return redis
}

/** Whether a command sent now has a chance. */
export function redisUp(redis: Redis): boolean {
  return redis.status === 'ready'
}

export type RedisListenerOptions = {
  log: Log
  /** In full: no prefix is put before it. */
  channel: string
  onMessage: (message: string) => void
  /**
   * True: subscribed, for the first time or again; what was published before may have been missed, and a
   * few messages may have come already. False: the connection is lost, and so is what is published now.
   */
  onListening: (listening: boolean) => void
  /** {@link LISTENER_PING_MS} when left out. */
  pingMs?: number
}

export type RedisListener = {
  /** Resolves when all that was published before the call has come; rejects when the connection is unavailable. */
  settled: () => Promise<void>
  close: () => void
}

/**
 * Listens to one channel on a connection of its own, which comes back by itself, also from a peer that has
 * fallen silent. Connects in the background and does not wait for it.
 */
export async function listenRedis(
  url: string,
  { log, channel, onMessage, onListening, pingMs = LISTENER_PING_MS }: RedisListenerOptions,
): Promise<RedisListener> {
  const redis = await connectRedis(url, { log })
  let listening = false
  let closed = false
  let missed = 0
  const say = (now: boolean): void => {
    if (now === listening || closed) return
    listening = now
    onListening(now)
  }
  redis.on('message', (_, message: string) => {
    if (!closed) onMessage(message)
  })
  redis.on('ready', () => {
    missed = 0
    redis.subscribe(channel).then(
      () => say(redisUp(redis)),
      // Not subscribed is as good as unavailable: the next connection tries again.
      () => redisUp(redis) && redis.disconnect(true),
    )
  })
  redis.on('close', () => say(false))
  const ping = setInterval(() => {
    if (!listening) return
    redis.ping().then(
      () => (missed = 0),
      () => {
        missed += 1
        if (missed < LISTENER_PINGS_MISSED_MAX || !listening) return
        say(false)
        redis.disconnect(true)
      },
    )
  }, pingMs).unref()
  return {
    // Answers and messages come in the order in which Redis wrote them.
    settled: async () => void (await redis.ping()),
    close: () => {
      closed = true
      clearInterval(ping)
      redis.disconnect()
    },
  }
}
