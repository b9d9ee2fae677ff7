/**
 * The broker contract inside one process, for standalone. Nothing here outlives the process, so the only
 * safety it can promise is that the work is done: a publish resolves once every bound handler has finished
 * its events or has given them up as dead letters. Until then the outbox keeps them, and a `kill -9` loses
 * nothing. A queue lives as long as it has a subscription; without one its events are unroutable, and so are
 * those that a declared queue without one should get. Exclusive
 * queues get what is published and have no say in it: no publish waits for them or fails because of them.
 */
import { UnroutableError } from './broker.ts'
import type {
  BatchHandler,
  Broker,
  BrokerLog,
  DurableQueue,
  IncomingEvent,
  OutgoingEvent,
  QueueSpec,
  Subscription,
} from './broker.ts'
import { countDeadLetter, countRetry } from './count-dead-letter.ts'
import { deliverBatch } from './deliver-batch.ts'
import { messageOf, TransientError } from '../process/errors.ts'
import { matchesTopic } from './match-topic.ts'

/**
 * Most events waiting in one queue: 8 shards × 1,000 of the relay, with room for other publishers. Above it a
 * durable queue refuses the publish, and an exclusive one drops its oldest.
 */
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
  exclusive: boolean
  bindings: Set<string>
  waiting: Waiting[]
  /** Starts each idle consumer. */
  wake: Set<() => void>
}

/** A broker of its own: two of them know nothing of each other. */
export function createMemoryBroker({ log }: { log: BrokerLog }): MemoryBroker {
  const queues = new Set<Queue>()
  const declared = new Map<string, DurableQueue>()
  const subscriptions = new Set<Subscription>()
  const dead: DeadLetter[] = []
  let closed = false

  function giveUp({ name, exclusive }: Queue, event: IncomingEvent, error: unknown): void {
    const fields = { queue: name, eventId: event.id, type: event.type, err: error }
    log.error(fields, exclusive ? 'event given up and dropped' : 'event given up as dead letter')
    countDeadLetter(name, event.type)
    if (exclusive) return
    dead.push({ queue: name, event, error: messageOf(error) })
    if (dead.length > DEAD_LETTERS_MAX) dead.shift()
  }

  function queueOf({ name, exclusive }: QueueSpec): Queue {
    const shared = [...queues].find((queue) => !queue.exclusive && queue.name === name)
    if (shared !== undefined && !exclusive) return shared
    const queue = newQueue(name, exclusive === true)
    queues.add(queue)
    return queue
  }

  /** Declared, and without a subscription. */
  function missing(): DurableQueue[] {
    const there = new Set([...queues].filter(({ exclusive }) => !exclusive).map(({ name }) => name))
    return [...declared.values()].filter(({ name }) => !there.has(name))
  }

  async function subscribe(spec: QueueSpec, handle: BatchHandler): Promise<Subscription> {
    if (closed) return await rejectClosed()
    const queue = queueOf(spec)
    for (const key of spec.bindings) queue.bindings.add(key)
    const consumer = startConsumer(queue, spec.prefetch, handle, giveUp, log)
    const subscription: Subscription = {
      waitsFor: consumer.waitsFor,
      stop: async () => {
        if (!subscriptions.delete(subscription)) return
        // Unbound first, so that what is published from now on is refused rather than forgotten.
        if (queue.wake.size === 1) queues.delete(queue)
        await consumer.stop()
      },
    }
    subscriptions.add(subscription)
    return subscription
  }

  return {
    publish: (events) => (closed ? rejectClosed() : publish(events, [...queues], missing())),
    declare: async (queue) => {
      if (closed) await rejectClosed()
      declared.set(queue.name, queue)
    },
    subscribe,
    check: async () => {
      if (closed) await rejectClosed()
      const [queue] = missing()
      if (queue) throw new TransientError(`queue ${queue.name} has no subscription`)
    },
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

function newQueue(name: string, exclusive: boolean): Queue {
  return { name, exclusive, bindings: new Set(), waiting: [], wake: new Set() }
}

function publish(
  events: readonly OutgoingEvent[],
  queues: readonly Queue[],
  missing: readonly DurableQueue[],
): Promise<void> {
  const full = queues.find(
    ({ exclusive, waiting }) => !exclusive && waiting.length + events.length > WAITING_MAX,
  )
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
    const durableCount = bound.filter(({ exclusive }) => !exclusive).length
    const missed = missing.some(({ bindings }) =>
      bindings.some((key) => matchesTopic(key, event.type)),
    )
    if (durableCount === 0 || missed) unroutable.push(event)
    left += durableCount
    for (const { exclusive, waiting } of bound) {
      const settle = exclusive ? ignore : done
      waiting.push({ event: { ...event, redelivered: false }, done: settle })
      if (exclusive && waiting.length > WAITING_MAX) waiting.shift()
    }
  }
  for (const queue of queues) for (const wake of queue.wake) wake()
  done()
  return promise
}

/** Nobody waits for what becomes of an event in an exclusive queue. */
function ignore(): void {}

function startConsumer(
  queue: Queue,
  prefetch: number,
  handle: BatchHandler,
  giveUp: (queue: Queue, event: IncomingEvent, error: unknown) => void,
  log: BrokerLog,
): Subscription {
  const stopping = new AbortController()
  let running: Promise<void> | undefined
  let waitsFor: string | undefined

  async function run(): Promise<void> {
    // What is published in the same tick goes into the same batch.
    await Promise.resolve()
    while (queue.waiting.length > 0 && !stopping.signal.aborted) {
      const batch = queue.waiting.splice(0, prefetch)
      let settledCount = 0
      await deliverBatch(batch, {
        signal: stopping.signal,
        handle: (items) => handle(items.map(({ event }) => event)),
        deadLetter: async ({ event }, error) => giveUp(queue, event, error),
        settled: (items) => {
          waitsFor = undefined
          settledCount += items.length
          for (const { done } of items) done()
        },
        retrying: (error, attempt, delayMs) => {
          countRetry(queue.name)
          const isNews = waitsFor === undefined
          waitsFor = messageOf(error)
          if (!isNews) return
          const fields = { queue: queue.name, events: batch.length, attempt, delayMs }
          log.warn({ ...fields, reason: waitsFor }, 'events wait: their handler fails for now')
        },
      })
      waitsFor = undefined
      queue.waiting.unshift(...batch.slice(settledCount))
    }
    running = undefined
  }

  const wake = (): void => {
    running ??= run()
  }
  queue.wake.add(wake)
  return {
    waitsFor: () => waitsFor,
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
