/**
 * What both brokers do with a batch once it has arrived: try it, wait and try again while the reason is not
 * the batch's own, halve it while the reason is about a message until the poison event is alone, and put that
 * one aside. Knows no transport and no clock. What must stay true: events settle strictly in the order given,
 * each exactly once, and an event is settled only after its handler succeeded or its dead letter is safe.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { isAboutMessage } from '../process/errors.ts'

/** First wait after a failure: about the time a failover of a connection pool takes to notice. */
const BACKOFF_MIN_MS = 50
/** Longest wait: what is back should be used within two seconds, and a try is one small transaction. */
const BACKOFF_MAX_MS = 2_000

export type Delivery<E> = {
  /** All or nothing: when it rejects, nothing of the batch has had an effect. */
  handle: (batch: readonly E[]) => Promise<void>
  /** Resolves when the dead letter is safe. Any rejection is retried: an event is never dropped. */
  deadLetter: (event: E, error: unknown) => Promise<void>
  /** These events are done, in order; called for every handled part and every dead letter. */
  settled: (events: readonly E[]) => void
  /** About to wait `delayMs` and to try again for the `attempt`-th time (from 1). */
  retrying: (error: unknown, attempt: number, delayMs: number) => void
  /** Once aborted, no new attempt starts; what is not settled stays with the caller. */
  signal: AbortSignal
  /** Resolves after `ms` or as soon as the signal aborts, whichever is first. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>
  /** Uniform in [0, 1). */
  random?: () => number
}

/**
 * Delivers one batch. Resolves when every event is settled, or early when `delivery.signal` aborts.
 * Never rejects, whatever the handler does.
 */
export async function deliverBatch<E>(batch: readonly E[], delivery: Delivery<E>): Promise<void> {
  if (batch.length === 0) return
  const failure = await attempt(
    () => delivery.handle(batch),
    (error) => !isAboutMessage(error),
    delivery,
  )
  if (failure === 'stopped') return
  if (failure === undefined) {
    delivery.settled(batch)
    return
  }
  if (batch.length > 1) {
    const middle = batch.length >>> 1
    await deliverBatch(batch.slice(0, middle), delivery)
    await deliverBatch(batch.slice(middle), delivery)
    return
  }
  const [poison] = batch
  if (poison === undefined) return
  const { reason } = failure
  const lost = await attempt(
    () => delivery.deadLetter(poison, reason),
    () => true,
    delivery,
  )
  if (lost === undefined) delivery.settled(batch)
}

/** Runs `action` until it works (`undefined`), fails for good (the reason), or must stop. */
async function attempt<E>(
  action: () => Promise<void>,
  worthRetrying: (error: unknown) => boolean,
  { signal, sleep = sleepUnlessAborted, random = Math.random, retrying }: Delivery<E>,
): Promise<undefined | 'stopped' | { reason: unknown }> {
  for (let failures = 0; !signal.aborted;) {
    try {
      await action()
      return undefined
    } catch (reason) {
      if (!worthRetrying(reason)) return { reason }
      failures += 1
      const delayMs = backoffMs(failures, random)
      retrying(reason, failures, delayMs)
      await sleep(delayMs, signal)
    }
  }
  return 'stopped'
}

/**
 * Exponential back-off with equal jitter: uniform in the upper half of the doubled delay, so that replicas
 * that failed together do not return together. `failures` counts from 1.
 */
export function backoffMs(
  failures: number,
  random: () => number = Math.random,
  { minMs, maxMs }: { minMs: number; maxMs: number } = {
    minMs: BACKOFF_MIN_MS,
    maxMs: BACKOFF_MAX_MS,
  },
): number {
  const ceilingMs = Math.min(maxMs, minMs * 2 ** (failures - 1))
  return ceilingMs / 2 + (random() * ceilingMs) / 2
}

/** Resolves after `ms`, or at once when the signal aborts. */
export async function sleepUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal })
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
