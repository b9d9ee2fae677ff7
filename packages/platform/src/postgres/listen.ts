/**
 * Notifications of a channel, on a connection of its own. They are hints: what is told while the connection is lost is told
 * to nobody, so whoever listens looks by itself as well.
 */
import { openDriver, type SinglePool } from './postgres-driver.ts'
import { endNow } from './postgres-socket.ts'
import { joinLines } from './silent-lines.ts'

/** Between two attempts to listen. */
const RETRY_MS = 1_000

export type Listener = {
  /** Whether a notification sent now would be heard, as far as we know. */
  isListening: () => boolean
  stop: () => Promise<void>
}

/** @param onNotification also called once it listens: nobody knows what was told before */
export function listen(url: string, channel: string, onNotification: () => void): Listener {
  let current: { pool: SinglePool; openedAtMs: number; listening: boolean } | undefined
  let retry: NodeJS.Timeout | undefined
  let stopped = false

  function open(): void {
    const events = { onLost: () => lost(pool), onReadOnly: () => lost(pool), onNotification }
    const pool = openDriver(url, { max: 1, applicationName: 'bidmesh listener' }, events)
    const opened = { pool, openedAtMs: performance.now(), listening: false }
    current = opened
    void begin(opened)
  }

  async function begin(opened: NonNullable<typeof current>): Promise<void> {
    try {
      await opened.pool`LISTEN ${opened.pool(channel)}`
      opened.listening = true
      onNotification()
    } catch {
      lost(opened.pool)
    }
  }

  function lost(pool: SinglePool): void {
    if (current?.pool !== pool) return
    current = undefined
    void endNow(pool)
    if (!stopped) retry = setTimeout(open, RETRY_MS).unref()
  }

  const leave = joinLines(url, {
    heardAtMs: () => current?.openedAtMs ?? Infinity,
    giveUp: () => current && lost(current.pool),
  })
  open()
  return {
    isListening: () => current?.listening === true,
    async stop() {
      stopped = true
      clearTimeout(retry)
      if (current) lost(current.pool)
      await leave()
    },
  }
}
