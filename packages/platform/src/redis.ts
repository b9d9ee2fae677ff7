/**
 * The only module that knows ioredis. Redis is disposable here: nothing is lost without it, so a command
 * must fail fast rather than wait for it, and the caller goes on without. The connection comes back by
 * itself; each change between up and down is one log line.
 */
import type { Redis } from 'ioredis'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

export type { Redis }

export type RedisOptions = {
  log: Log
  /** Put before every key, so that several systems or tests can share one Redis. */
  keyPrefix?: string
}

/** A cache slower than the Postgres query it stands for (1–5 ms) is no use; this is the stalled case. */
const COMMAND_LIMIT_MS = 200
/** A connection attempt that hangs must not delay the next one. */
const CONNECT_LIMIT_MS = 1_000
/** Back-off between attempts: soon enough to use a Redis that is back, rare enough to cost nothing. */
const RECONNECT_FIRST_MS = 50
const RECONNECT_MOST_MS = 2_000

/**
 * Connects in the background and does not wait for it. While Redis is away commands reject immediately
 * (see {@link redisUp}); a command in flight rejects after 200 ms. The caller calls `disconnect()`.
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
    enableOfflineQueue: false,
    // A command that was in flight when the connection broke fails; it is not sent again later.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(RECONNECT_FIRST_MS * 2 ** attempt, RECONNECT_MOST_MS),
  })
  let saidDown = false
  let reason = 'connection closed'
  redis.on('error', (error: unknown) => {
    reason = messageOf(error) || reason
  })
  redis.on('close', () => {
    if (!saidDown) log.warn({ reason }, 'Redis is away: going on without it')
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
