/** Work that a process does every now and then beside its calls. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

export type PeriodicOptions = {
  /** From the end of one time to the beginning of the next. */
  intervalMs: number
  /** Ends it, and the pause that it is in. */
  signal: AbortSignal
  log: Log
  /** Logged with the reason whenever the work fails. */
  failure: string
}

/** Does it now and again until the signal; what fails waits for its next time. */
export async function runPeriodically(
  work: () => Promise<void>,
  { intervalMs, signal, log, failure }: PeriodicOptions,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await work()
    } catch (error) {
      log.warn({ reason: messageOf(error) }, failure)
    }
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined)
  }
}
