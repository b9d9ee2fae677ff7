/** Waiting between tries: longer each time, and never all callers at once. */

/**
 * Exponential with full jitter: evenly between nothing and `leastMs · 2^(tries - 1)`, at most `mostMs`.
 * https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 *
 * @param tries so far, at least 1
 */
export function backOffMs(
  tries: number,
  { leastMs, mostMs }: { leastMs: number; mostMs: number },
  random: () => number,
): number {
  return random() * Math.min(mostMs, leastMs * 2 ** (tries - 1))
}

/** Resolves after `ms`; earlier when `stop` aborts, and when a browser says that the network is back. */
export function pause(ms: number, stop?: AbortSignal): Promise<void> {
  // Browsers have it, Node has not.
  const here: unknown = globalThis
  const page = here instanceof EventTarget ? here : undefined
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      page?.removeEventListener('online', end)
      stop?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    page?.addEventListener('online', end)
    stop?.addEventListener('abort', end)
    if (stop?.aborted) end()
  })
}
