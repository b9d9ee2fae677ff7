/**
 * What Bidmesh needs of a message broker, and nothing more: publish that resolves when every event is
 * safe, and batches delivered: at least once from durable queues, while they last from exclusive ones. Two
 * implementations keep this contract, and the same tests run over both (`broker.integration.test.ts`,
 * `broker-exclusive.integration.test.ts`): RabbitMQ (`broker-rabbitmq.ts`) for the local stack and
 * Kubernetes, memory (`broker-memory.ts`) for standalone.
 */

export type Exchanges = {
  /** The topic exchange that all events are published to. */
  events: string
  /** Where poison messages go: one queue per consumer, named `<queue>.dead`. */
  dead: string
}

export type OutgoingEvent = {
  /** UUID; the consumer's inbox deduplicates by it. */
  id: string
  /** Routing key. */
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

/**
 * A queue that must keep these events is missing: they are nowhere but with the caller. Permanent until
 * somebody binds one, so it is not transient in the sense of `errors.ts`; the outbox keeps the events and
 * tries again.
 */
export class UnroutableError extends Error {
  override name = 'UnroutableError'
  readonly eventIds: readonly string[]

  constructor(eventIds: readonly string[], type: string) {
    super(`no queue is bound for ${type} (event ${eventIds[0] ?? '?'})`)
    this.eventIds = eventIds
  }
}

/** The part of the log a broker writes to; a pino logger is one. */
export type BrokerLog = {
  info: (fields: object, message: string) => void
  warn: (fields: object, message: string) => void
  error: (fields: object, message: string) => void
}

/** A queue that outlives every process, shared by all replicas of a consumer. */
export type DurableQueue = {
  name: string
  /** Binding keys, e.g. `['bid.placed', 'item.ended']` or `['#']`. */
  bindings: readonly string[]
  exclusive?: never
}

/**
 * A queue that belongs to one subscription and vanishes with it: each gets every event published while it is
 * there. Nothing is promised beyond that. What is published while the connection is unavailable is lost for it, a
 * consumer that does not keep up loses the oldest events, and an event may come again: the consumer must see
 * the gap (by version) and read the state anew. In return it can hold up nobody, and no event counts as safe
 * because this queue has it.
 */
export type ExclusiveQueue = {
  /** A label for logs and metrics; any number of queues may have it. */
  name: string
  bindings: readonly string[]
  exclusive: true
}

export type QueueSpec = (DurableQueue | ExclusiveQueue) & {
  /** Most messages unacknowledged at once, which is also the largest batch (1–10,000). */
  prefetch: number
}

export type Subscription = {
  /** Why the batch in hand cannot be applied for now and is tried again; undefined when none waits. */
  waitsFor(): string | undefined
  /** Takes no further batch, waits for the one in hand, and returns the rest to the queue (if it stays). */
  stop(): Promise<void>
}

/**
 * Resolves: the whole batch is acknowledged. Rejects with a reason that is not about a message (see
 * `isAboutMessage` in `errors.ts`): the same batch is tried again after a back-off with jitter. Rejects with
 * any other: the batch is halved until the poison message is alone, which is dead-lettered with its
 * error in the header `x-error`, while the rest goes on. An exclusive queue has no dead queue: there the
 * poison message is logged, counted and dropped.
 */
export type BatchHandler = (batch: readonly IncomingEvent[]) => Promise<void>

export type Broker = {
  /**
   * Publishes in the order given and resolves when every event is safe: RabbitMQ has it persistent and
   * confirmed in every queue bound for it; memory has seen every handler of such a durable queue finish it
   * (there is no other safety in a process that may be killed). Exclusive queues, and queues of strangers, make
   * no event safe: `declare` the durable queues before you publish, and no event counts as safe while one of
   * them is missing.
   * Rejects when any event is not safe:
   * - `UnroutableError` names the events no queue is bound for; every *other* event of the call is safe. In
   *   memory they have gone to exclusive queues all the same, and go there again with the next try: what is
   *   shown live does not wait for a consumer that is unavailable;
   * - anything else is transient (connection lost, no confirm in time, a declared queue was deleted), and some
   *   or all of the events may have been published: the caller publishes them again.
   */
  publish(events: readonly OutgoingEvent[]): Promise<void>
  /**
   * Declares the queue and its bindings and consumes nothing: from now on it keeps what is published, and this
   * broker answers for it. Done again on every new connection, before anything can be published there, and within
   * a second when the queue is deleted or unbound. Rejects when the broker refuses the queue (declared before
   * with other arguments). In memory, where a queue lives by its subscriptions, the events of a declared queue
   * without one are unroutable.
   */
  declare(queue: DurableQueue): Promise<void>
  /**
   * Declares the queue and its bindings and starts to hand out batches, one at a time, in queue order.
   * Survives reconnects; an exclusive queue is then a new one, without what the old one still had. Rejects
   * when the broker refuses the queue (declared before with other arguments).
   */
  subscribe(queue: QueueSpec, handle: BatchHandler): Promise<Subscription>
  /** Resolves when the broker answers now and has every declared queue, rejects with the reason otherwise. For `/readyz`. */
  check(): Promise<void>
  /** Stops every subscription and closes the connection; publishes in flight reject as transient. */
  close(): Promise<void>
}
