/** The live service put together: events in, viewers out, and the chores that keep both right. */
import { setImmediate } from 'node:timers/promises'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { bidSchema } from '@bidmesh/bid/schema.ts'
import type { Broker, IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { checkDatabase } from '@bidmesh/platform/postgres/check-database.ts'
import { checkMigrations } from '@bidmesh/platform/postgres/ensure-schema.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { connectPostgres, waitForPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { connectRedis } from '@bidmesh/platform/redis/redis.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { createMemoryChat } from './chat/chat-memory.ts'
import { createRedisChat } from './chat/chat-redis.ts'
import type { Chat } from './chat/chat.ts'
import { SLOT_INTERVAL_MS } from './streams/clock-wheel.ts'
import { Hub } from './feed/hub.ts'
import { decodeItemEvent, type ItemEvent } from '@bidmesh/events/decode-event.ts'
import { createLiveMetrics } from './metrics.ts'
import { createRedisPresence } from './presence/presence-redis.ts'
import { createLocalPresence, type Presence } from './presence/presence.ts'
import { findItems, readItems, readVersions } from './feed/queries.ts'
import { liveRoutes, watchesOf } from './routes.ts'
import { createServerClock } from './feed/server-clock.ts'
import { createWatchStreams } from './streams/watch-streams.ts'

/** One for rooms, one for the look at versions, the rest for chat, top bids and charts. */
const POOL_SIZE = 6
/** A query that takes longer helps no viewer. */
const STATEMENT_TIMEOUT_MS = 4_000
/** Largest batch of events; what is sent for one item of it is one write per viewer. */
const PREFETCH = 1_000
/** Decoded and applied in one turn of the event loop: 2 ms. */
const EVENTS_PER_TURN = 100
/** A lost event with nothing behind it is noticed at the second look. */
const LOOK_INTERVAL_MS = 1_000
const SWEEP_INTERVAL_MS = 5_000

export type LiveComponentOptions = {
  /** The write side's. */
  databaseUrl: string
  /** Undefined: chat and viewer counts of this process alone. */
  redisUrl: string | undefined
  /** Most viewers at once. */
  viewersMax: number
  /** The component does not close it. */
  broker: Broker
  log: Log
  /** Gives up waiting for the database. */
  signal: AbortSignal
}

/** Waits for the database, subscribes, and returns the running service. */
export async function startLive(options: LiveComponentOptions): Promise<Component> {
  const { databaseUrl, broker, log, signal } = options
  const sql = connectPostgres(databaseUrl, {
    max: POOL_SIZE,
    applicationName: 'bidmesh live',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    settings: { default_transaction_read_only: 'on' },
  })
  await waitForPostgres(sql, log, { signal })
  const clock = createServerClock()
  const metrics = createLiveMetrics()
  const hub = new Hub({
    readItems: (ids) => readItems(sql, ids),
    findItems: (filter, limit) => findItems(sql, filter, limit),
    readVersions: async (ids) => {
      const sentMs = Date.now()
      const { now, versions } = await readVersions(sql, ids)
      clock.observe(now.getTime(), sentMs, Date.now())
      return versions
    },
    now: clock.now,
    viewersMax: options.viewersMax,
    onOpened: (itemId) => chat.follow(itemId),
    onClosed: (itemId) => chat.unfollow(itemId),
    onJoined: (itemId, userId) => presence.join(itemId, userId),
    onLeft: (itemId, userId) => presence.leave(itemId, userId),
    onSent: (viewers, messages, occurredAtMs) =>
      metrics.sent(viewers, messages, occurredAtMs && clock.now() - occurredAtMs),
  })
  const { chat, presence, disconnect } = await startCompany(options, hub)
  metrics.observe(hub)
  const queue = { name: 'live', bindings: ['#'], prefetch: PREFETCH, exclusive: true as const }
  const subscription = await broker.subscribe(queue, async (batch) => {
    for (let start = 0; start < batch.length; start += EVENTS_PER_TURN) {
      if (start > 0) await setImmediate()
      hub.receive(decodeAll(batch.slice(start, start + EVENTS_PER_TURN), log))
    }
  })
  const stopChores = startChores(hub, log)
  return {
    name: 'live',
    services: [LiveService],
    routes: liveRoutes({ sql, hub, chat, events: metrics }),
    handle: createWatchStreams({ ...watchesOf(hub), events: metrics, log }),
    pages: ['GET /live/items/{item_id}  every change of an item, as server-sent events'],
    drain: () => hub.drain(new ConnectError('the server stops: connect again', Code.Unavailable)),
    check: async () => {
      // Ready once the tables are there, as its code knows them.
      await checkDatabase(sql, { tables: ['items', 'bids'], writes: false })
      await checkMigrations(sql, bidSchema)
      await broker.check()
    },
    async stop() {
      stopChores()
      await subscription.stop()
      await Promise.all([chat.close(), presence.close()])
      disconnect()
      await sql.end({ timeout: 1 })
    },
  }
}

/** Chat and viewer counts, over all replicas with Redis, of this process without. */
async function startCompany(
  { redisUrl, log }: LiveComponentOptions,
  hub: Hub,
): Promise<{ chat: Chat; presence: Presence; disconnect: () => void }> {
  const onMessage: Hub['say'] = (line) => hub.say(line)
  const onCount: Hub['setViewerCount'] = (itemId, count) => hub.setViewerCount(itemId, count)
  if (redisUrl === undefined) {
    const [chat, presence] = [createMemoryChat({ onMessage }), createLocalPresence({ onCount })]
    return { chat, presence, disconnect: () => undefined }
  }
  const chat = await createRedisChat({ redisUrl, log, onMessage })
  const redis = await connectRedis(redisUrl, { log })
  const presence = createRedisPresence({ redis, log, onCount })
  return { chat, presence, disconnect: () => redis.disconnect() }
}

/** What cannot be read is logged and left out: its item is found to be behind, and read. */
function decodeAll(batch: readonly IncomingEvent[], log: Log): ItemEvent[] {
  return batch.flatMap(({ id, type, payload }) => {
    try {
      const event = decodeItemEvent(type, payload)
      return event ? [event] : []
    } catch (error) {
      log.error({ eventId: id, type, reason: messageOf(error) }, 'event cannot be read')
      return []
    }
  })
}

function startChores(hub: Hub, log: Log): () => void {
  let looking = false
  let failing = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    try {
      await hub.look()
      failing = false
    } catch (error) {
      if (!failing) log.warn({ reason: messageOf(error) }, 'cannot compare with Postgres')
      failing = true
    }
    looking = false
  }
  const timers = [
    setInterval(() => hub.turn(Date.now()), SLOT_INTERVAL_MS),
    setInterval(() => void look(), LOOK_INTERVAL_MS),
    setInterval(() => hub.sweep(Date.now()), SWEEP_INTERVAL_MS),
  ]
  void look()
  return () => timers.forEach((timer) => clearInterval(timer))
}
