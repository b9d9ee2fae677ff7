/**
 * What Bidmesh needs of a message broker, and nothing more: publish that resolves when every event is
 * safe, and batches delivered at least once. Two implementations keep this contract, and one test
 * runs over both (`broker.integration.test.ts`): RabbitMQ (`broker-rabbitmq.ts`) for the local stack
 * and Kubernetes, memory (`broker-memory.ts`) for standalone.
 */

/** Routing keys of the topic exchange; a consumer binds to these or to patterns such as `item.*`. */
export const eventTypes = [
  'item.created',
  'item.updated',
  'item.opened',
  'bid.placed',
  'item.ended',
  'item.cancelled',
] as const

export type EventType = (typeof eventTypes)[number]

/** The topic exchange all events are published to. */
export const EVENTS_EXCHANGE = 'auction.events'
/** Where poison messages go: one queue per consumer, named `<queue>.dead`. */
export const DEAD_EXCHANGE = 'auction.dead'

export type OutgoingEvent = {
  /** UUID; the consumer's inbox deduplicates by it. */
  id: string
  /** Routing key, one of {@link eventTypes} (a string here, so that tests and newer peers may send others). */
  type: string
  /** Item id: events of one key are published, and hence queued, in the order given. */
  key: string
  /** Protobuf bytes of the `events.v1` message named by the type. */
  payload: Uint8Array
  /** W3C `traceparent`/`tracestate` and the like; lower-case names. */
  headers: Readonly<Record<string, string>>
  occurredAt: Date
}

export type IncomingEvent = OutgoingEvent & {
  /** The broker has handed this message out before: a hint for metrics, never for deduplication. */
  redelivered: boolean
}

export type QueueSpec = {
  /** Durable queue, shared by all replicas of a consumer. */
  name: string
  /** Binding keys, e.g. `['bid.placed', 'item.ended']` or `['#']`. */
  bindings: readonly string[]
  /** Most messages unacknowledged at once, which is also the largest batch (1–10,000). */
  prefetch: number
}

export type Subscription = {
  /** Takes no further batch, waits for the one in hand, and returns the rest to the queue. */
  stop(): Promise<void>
}

/**
 * Resolves: the whole batch is acknowledged. Rejects with a transient reason (see
 * `isTransient` in `errors.ts`): the same batch is tried again after a back-off with jitter. Rejects with
 * anything else: the batch is halved until the poison message is alone, which is dead-lettered with its
 * error in the header `x-error`, while the rest goes on.
 */
export type BatchHandler = (batch: readonly IncomingEvent[]) => Promise<void>

export type Broker = {
  /**
   * Publishes in the order given and resolves when the broker has every event safe (persistent,
   * confirmed, routed to at least one queue). Rejects when any is not: an unroutable event rejects with
   * `UnroutableError`, a lost connection with a transient error. A rejected call may have published some
   * or all of its events: the caller publishes them again.
   */
  publish(events: readonly OutgoingEvent[]): Promise<void>
  subscribe(queue: QueueSpec, handle: BatchHandler): Promise<Subscription>
  /** Resolves when the broker answers now, rejects with the reason otherwise. For `/readyz`. */
  check(): Promise<void>
  close(): Promise<void>
}
