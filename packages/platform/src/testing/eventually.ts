/** Waits in tests for what happens elsewhere: by looking again, never by sleeping and hoping. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Enough for a service to start on a busy machine; a condition that holds is seen at once. */
const defaultLimitMs = 15_000
const defaultIntervalMs = 25

export type EventuallyOptions = { limitMs?: number; intervalMs?: number }

/**
 * Calls `look` until it neither throws nor returns `false`, and returns its result. Put assertions into
 * it: after the limit (15 s) the last one's error is thrown as it is.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<T> {
  const limitMs = options.limitMs ?? defaultLimitMs
  const deadline = performance.now() + limitMs
  for (;;) {
    let failure: unknown
    try {
      const result = await look()
      if (result !== false) return result
      failure = new Error(`did not become true within ${limitMs} ms: ${look.toString()}`)
    } catch (error) {
      failure = error
    }
    if (performance.now() > deadline) throw failure
    await sleep(options.intervalMs ?? defaultIntervalMs)
  }
}
