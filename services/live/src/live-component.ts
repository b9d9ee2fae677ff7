/** The live service put together: events in, viewers out, and the periodic work that keeps both right. */
import { setImmediate } from 'node:timers/promises'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import type { Broker, IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { connectRedis } from '@bidmesh/platform/redis/redis.ts'
import { Code, ConnectError, type Transport } from '@connectrpc/connect'
import { createMemoryChat } from './chat/chat-memory.ts'
import { createRedisChat } from './chat/chat-redis.ts'
import type { Chat } from './chat/chat.ts'
import { SLOT_INTERVAL_MS } from './streams/clock-wheel.ts'
import { Hub } from './feed/hub.ts'
import { decodeItemEvent, type ItemEvent } from '@bidmesh/events/decode-event.ts'
import { createLiveMetrics } from './metrics.ts'
import { createRedisPresence } from './presence/presence-redis.ts'
import { createLocalPresence, type Presence } from './presence/presence.ts'
import { createItemSource, type ItemSource } from './feed/item-source.ts'
import { liveRoutes, watchesOf } from './routes.ts'
import { createServerClock } from './feed/server-clock.ts'
import { createCallGuard } from '@bidmesh/platform/rpc/around-calls.ts'
import { createWatchStreams } from './streams/watch-streams.ts'
import { createMemoryTickets, createRedisTickets, type Tickets } from './tickets/tickets.ts'

/** Largest batch of events; what is sent for one item of it is one write per viewer. */
const PREFETCH = 1_000
/** Decoded and applied in one turn of the event loop: 2 ms. */
const EVENTS_PER_TURN = 100
/** A lost event with nothing behind it is noticed the second time. */
const RECONCILE_INTERVAL_MS = 1_000
const SWEEP_INTERVAL_MS = 5_000

export type LiveComponentOptions = {
  /** To the bid service, whose items are watched. */
  bidService: Transport
  /** Undefined: chat and viewer counts of this process alone. */
  redisUrl: string | undefined
  /** Most viewers at once. */
  viewersMax: number
  /** The component does not close it. */
  broker: Broker
  log: Log
}

/** Subscribes, and returns the running service. */
export async function startLive(options: LiveComponentOptions): Promise<Component> {
  const { bidService, broker, log } = options
  const clock = createServerClock()
  const source = withClock(createItemSource(bidService), clock)
  const metrics = createLiveMetrics()
  const hub = new Hub({
    readItems: source.readItems,
    findItems: source.findItems,
    readVersions: async (ids) => (await source.readVersions(ids)).versions,
    now: clock.now,
    viewersMax: options.viewersMax,
    onOpened: (itemId) => chat.follow(itemId),
    onClosed: (itemId) => chat.unfollow(itemId),
    onJoined: (itemId, userId) => presence.join(itemId, userId),
    onLeft: (itemId, userId) => presence.leave(itemId, userId),
    onSent: (viewers, messages, occurredAtMs) =>
      metrics.sent(viewers, messages, occurredAtMs && clock.now() - occurredAtMs),
  })
  const { chat, presence, tickets, disconnect } = await startCompany(options, hub)
  metrics.observe(hub)
  const queue = { name: 'live', bindings: ['#'], prefetch: PREFETCH, exclusive: true as const }
  const subscription = await broker.subscribe(queue, async (batch) => {
    for (let start = 0; start < batch.length; start += EVENTS_PER_TURN) {
      if (start > 0) await setImmediate()
      hub.receive(decodeAll(batch.slice(start, start + EVENTS_PER_TURN), log))
    }
  })
  const stopPeriodicWork = startPeriodicWork(hub, log)
  return {
    name: 'live',
    services: [LiveService],
    routes: liveRoutes({ source, hub, chat, tickets, events: metrics }),
    handle: createWatchStreams({
      ...watchesOf(hub),
      redeem: tickets.redeem,
      events: metrics,
      begin: createCallGuard({ log, explain: [] }),
    }),
    pages: ['GET /live/items/{item_id}  every change of an item, as server-sent events'],
    drain: () => hub.drain(new ConnectError('the server stops: connect again', Code.Unavailable)),
    check: async () => {
      // Whoever comes is to find an item.
      await source.readVersions([])
      await broker.check()
    },
    async stop() {
      stopPeriodicWork()
      await subscription.stop()
      await Promise.all([chat.close(), presence.close()])
      disconnect()
    },
  }
}

/** Each reading of versions sets the clock. */
function withClock(source: ItemSource, clock: ReturnType<typeof createServerClock>): ItemSource {
  return {
    ...source,
    readVersions: async (ids) => {
      const sentMs = Date.now()
      const answer = await source.readVersions(ids)
      clock.observe(answer.now.getTime(), sentMs, Date.now())
      return answer
    },
  }
}

/** Chat, viewer counts and tickets, over all replicas with Redis, of this process without. */
async function startCompany(
  { redisUrl, log }: LiveComponentOptions,
  hub: Hub,
): Promise<{ chat: Chat; presence: Presence; tickets: Tickets; disconnect: () => void }> {
  const onMessage: Hub['say'] = (message) => hub.say(message)
  const onCount: Hub['setViewerCount'] = (itemId, count) => hub.setViewerCount(itemId, count)
  if (redisUrl === undefined) {
    const [chat, presence] = [createMemoryChat({ onMessage }), createLocalPresence({ onCount })]
    return { chat, presence, tickets: createMemoryTickets(), disconnect: () => undefined }
  }
  const chat = await createRedisChat({ redisUrl, log, onMessage })
  const redis = await connectRedis(redisUrl, { log })
  const presence = createRedisPresence({ redis, log, onCount })
  const tickets = createRedisTickets(redis)
  return { chat, presence, tickets, disconnect: () => redis.disconnect() }
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

function startPeriodicWork(hub: Hub, log: Log): () => void {
  let reconciling = false
  let failing = false
  const reconcile = async (): Promise<void> => {
    if (reconciling) return
    reconciling = true
    try {
      await hub.reconcile()
      failing = false
    } catch (error) {
      if (!failing) log.warn({ reason: messageOf(error) }, 'cannot compare with the bid service')
      failing = true
    }
    reconciling = false
  }
  const timers = [
    setInterval(() => hub.turn(Date.now()), SLOT_INTERVAL_MS),
    setInterval(() => void reconcile(), RECONCILE_INTERVAL_MS),
    setInterval(() => hub.sweep(Date.now()), SWEEP_INTERVAL_MS),
  ]
  void reconcile()
  return () => timers.forEach((timer) => clearInterval(timer))
}
