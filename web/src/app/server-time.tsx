/**
 * The server's clock in the browser. Streams tell the server's time; the difference to this machine's clock
 * is kept here, and every countdown on a page ticks at once, by the second.
 */
import { useSyncExternalStore } from 'react'
import { createClockOffset } from './clock-offset.ts'

const offset = createClockOffset()
let nowSeconds = Math.floor(Date.now() / 1_000)
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setTimeout> | undefined

/** A message of a stream has just said so. */
export function observeServerTime(serverMs: number): void {
  offset.observe(serverMs, Date.now())
}

/** ms since 1970, by the server's clock. */
export function serverNow(): number {
  return Date.now() + offset.offsetMs()
}

function tick(): void {
  nowSeconds = Math.floor(serverNow() / 1_000)
  for (const listener of listeners) listener()
  // At the next full second of the server.
  timer = setTimeout(tick, 1_000 - (serverNow() % 1_000))
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  if (listeners.size === 1) tick()
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) clearTimeout(timer)
  }
}

/** The server's time in ms, renewed every second. */
export function useServerNow(): number {
  return useSyncExternalStore(subscribe, () => nowSeconds) * 1_000
}
