/**
 * The broker contract inside one process, for standalone. Nothing here outlives the process, so the only
 * safety it can promise is that the work is done: a publish resolves once every bound handler has finished
 * its events or has given them up as dead letters. Until then the outbox keeps them, and a `kill -9` loses
 * nothing. A queue lives as long as it has a subscription; without one its events are unroutable.
 */
import { UnroutableError } from './broker.ts'
import type {
  BatchHandler,
  Broker,
  BrokerLog,
  IncomingEvent,
  OutgoingEvent,
  QueueSpec,
  Subscription,
} from './broker.ts'
import { countDeadLetter } from './count-dead-letter.ts'
import { deliverBatch } from './deliver-batch.ts'
import { messageOf, TransientError } from './errors.ts'
import { matchesTopic } from './match-topic.ts'

/** Most events waiting in one queue: 8 shards × 1,000 of the relay, with room for other publishers. */
const WAITING_MAX = 16_000
/** Dead letters kept to look at; older ones are in the log only. */
const DEAD_LETTERS_MAX = 1_000

export type DeadLetter = { queue: string; event: IncomingEvent; error: string }

export type MemoryBroker = Broker & {
  /** The latest dead letters, oldest first. */
  deadLetters: () => readonly DeadLetter[]
}

type Waiting = { event: IncomingEvent; done: (lost?: Error) => void }

type Queue = {
  name: string
  bindings: Set<string>
  waiting: Waiting[]
  /** Starts each idle consumer. */
  wake: Set<() => void>
}

/** A broker of its own: two of them know nothing of each other. */
export function createMemoryBroker({ log }: { log: BrokerLog }): MemoryBroker {
  const queues = new Map<string, Queue>()
  const subscriptions = new Set<Subscription>()
  const dead: DeadLetter[] = []
  let closed = false

  function bury(letter: DeadLetter, error: unknown): void {
    dead.push(letter)
    if (dead.length > DEAD_LETTERS_MAX) dead.shift()
    const { event, queue } = letter
    log.error(
      { queue, eventId: event.id, type: event.type, err: error },
      'event given up as dead letter',
    )
  }

  async function subscribe(spec: QueueSpec, handle: BatchHandler): Promise<Subscription> {
    if (closed) return await rejectClosed()
    const queue = queues.get(spec.name) ?? newQueue(spec.name)
    queues.set(spec.name, queue)
    for (const key of spec.bindings) queue.bindings.add(key)
    const consumer = startConsumer(queue, spec.prefetch, handle, bury, log)
    const subscription: Subscription = {
      stop: async () => {
        if (!subscriptions.delete(subscription)) return
        // Unbound first, so that what is published from now on is refused rather than forgotten.
        if (queue.wake.size === 1) queues.delete(queue.name)
        await consumer.stop()
      },
    }
    subscriptions.add(subscription)
    return subscription
  }

  return {
    publish: (events) => (closed ? rejectClosed() : publish(events, [...queues.values()])),
    subscribe,
    check: () => (closed ? rejectClosed() : Promise.resolve()),
    close: async () => {
      closed = true
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()))
    },
    deadLetters: () => dead,
  }
}

function rejectClosed(): Promise<never> {
  return Promise.reject(new TransientError('the broker is closed'))
}

function newQueue(name: string): Queue {
  return { name, bindings: new Set(), waiting: [], wake: new Set() }
}

function publish(events: readonly OutgoingEvent[], queues: readonly Queue[]): Promise<void> {
  const full = queues.find((queue) => queue.waiting.length + events.length > WAITING_MAX)
  if (full) return Promise.reject(new TransientError(`queue ${full.name} is full`))
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const unroutable: OutgoingEvent[] = []
  // One more than there are events, so that it ends only after the loop.
  let left = 1
  let lost: Error | undefined
  const done = (error?: Error): void => {
    lost ??= error
    left -= 1
    if (left > 0) return
    if (lost) reject(lost)
    else if (unroutable[0] === undefined) resolve()
    else
      reject(
        new UnroutableError(
          unroutable.map(({ id }) => id),
          unroutable[0].type,
        ),
      )
  }
  for (const event of events) {
    const bound = queues.filter(({ bindings }) =>
      [...bindings].some((key) => matchesTopic(key, event.type)),
    )
    if (bound.length === 0) unroutable.push(event)
    left += bound.length
    for (const queue of bound) queue.waiting.push({ event: { ...event, redelivered: false }, done })
  }
  for (const queue of queues) for (const wake of queue.wake) wake()
  done()
  return promise
}

function startConsumer(
  queue: Queue,
  prefetch: number,
  handle: BatchHandler,
  bury: (letter: DeadLetter, error: unknown) => void,
  log: BrokerLog,
): { stop: () => Promise<void> } {
  const stopping = new AbortController()
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    // What is published in the same tick goes into the same batch.
    await Promise.resolve()
    while (queue.waiting.length > 0 && !stopping.signal.aborted) {
      const batch = queue.waiting.splice(0, prefetch)
      let settledCount = 0
      let failing = false
      await deliverBatch(batch, {
        signal: stopping.signal,
        handle: (items) => handle(items.map(({ event }) => event)),
        deadLetter: async ({ event }, error) => {
          bury({ queue: queue.name, event, error: messageOf(error) }, error)
          countDeadLetter(queue.name, event.type)
        },
        settled: (items) => {
          failing = false
          settledCount += items.length
          for (const { done } of items) done()
        },
        retrying: (error, attempt, delayMs) => {
          if (failing) return
          failing = true
          const fields = { queue: queue.name, events: batch.length, attempt, delayMs }
          log.warn(
            { ...fields, reason: messageOf(error) },
            'events wait: their handler fails for now',
          )
        },
      })
      queue.waiting.unshift(...batch.slice(settledCount))
    }
    running = undefined
  }

  const wake = (): void => {
    running ??= run()
  }
  queue.wake.add(wake)
  return {
    stop: async () => {
      stopping.abort()
      queue.wake.delete(wake)
      await running
      if (queue.wake.size > 0) return queue.wake.forEach((other) => other())
      const lost = new TransientError(`the last subscription of ${queue.name} has stopped`)
      for (const { done } of queue.waiting.splice(0)) done(lost)
    },
  }
}
