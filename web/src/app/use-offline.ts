/** Whether the network is gone, as the browser says at once. */
import { useSyncExternalStore } from 'react'

const loopback = /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/
/** A server on this machine answers within this, or is not there. */
const REACH_LIMIT_MS = 1_000
/** Without a network no event tells whether it is still there, or back. */
const LOOK_AGAIN_MS = 1_000

export type OfflineSigns = {
  /** What the browser says. */
  onLine: boolean
  /** Of the server. */
  hostname: string
  /** Asks the server for something. */
  reach: () => Promise<unknown>
}

/** Without a network a server on this very machine may be there all the same: it is asked. */
export async function isOffline({ onLine, hostname, reach }: OfflineSigns): Promise<boolean> {
  if (onLine) return false
  if (!loopback.test(hostname)) return true
  return await reach().then(
    () => false,
    () => true,
  )
}

let offline = false
let lookingAgain: number | undefined
const listeners = new Set<() => void>()

async function look(): Promise<void> {
  const { onLine } = navigator
  const signal = AbortSignal.timeout(REACH_LIMIT_MS)
  const reach = () => fetch('/healthz', { method: 'HEAD', cache: 'no-store', signal })
  const found = await isOffline({ onLine, hostname: window.location.hostname, reach })
  // What the browser has said since counts.
  if (navigator.onLine !== onLine) return
  clearTimeout(lookingAgain)
  if (!onLine && listeners.size > 0 && loopback.test(window.location.hostname)) {
    lookingAgain = window.setTimeout(lookNow, LOOK_AGAIN_MS)
  }
  if (found === offline) return
  offline = found
  for (const listener of listeners) listener()
}

const lookNow = (): void => void look()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  if (listeners.size === 1) {
    window.addEventListener('online', lookNow)
    window.addEventListener('offline', lookNow)
    lookNow()
  }
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    window.removeEventListener('online', lookNow)
    window.removeEventListener('offline', lookNow)
  }
}

export function useOffline(): boolean {
  return useSyncExternalStore(subscribe, () => offline)
}
