/**
 * Asks a database each second whether it is there, on a connection of its own. Statements have limits of
 * seconds, because they may wait for locks: nobody knows from a statement's silence before its limit whether it
 * waits or its connection is a black hole. Nothing makes this question wait but the server and the way to it.
 */
import { connectSingle, type SinglePool } from './postgres-driver.ts'
import { endNow } from './postgres-socket.ts'

const BEAT_MS = 1_000
/**
 * As many beats without an answer are silence. Beats are counted, not milliseconds: a process that stood still for
 * longer has read nothing meanwhile, and reads what has arrived before the next beat.
 */
const MISSED_BEATS = 3

export type Heartbeat = { stop: () => Promise<void> }

/**
 * @param onSilence called with the `performance.now()` of the first question that was not answered; the next one is
 * asked on a new connection
 */
export function startHeartbeat(url: string, onSilence: (sinceMs: number) => void): Heartbeat {
  let pool = open()
  let stopped = false
  let asked: { atMs: number; beats: number } | undefined

  function open(): SinglePool {
    const next = connectSingle(url, { applicationName: 'bidmesh heartbeat' }, () => {
      if (pool === next && !stopped) renew()
    })
    return next
  }

  function renew(): void {
    const gone = pool
    pool = open()
    asked = undefined
    void endNow(gone)
  }

  function ask(): void {
    const question = { atMs: performance.now(), beats: 0 }
    asked = question
    const settle = (): void => {
      if (asked === question) asked = undefined
    }
    // A refusal is no silence: whoever uses the server hears it as well.
    pool`SELECT 1`.then(settle, settle)
  }

  const timer = setInterval(() => {
    if (asked === undefined) return ask()
    asked.beats += 1
    if (asked.beats < MISSED_BEATS) return
    const { atMs } = asked
    renew()
    onSilence(atMs)
  }, BEAT_MS).unref()

  return {
    async stop() {
      clearInterval(timer)
      stopped = true
      await endNow(pool)
    },
  }
}
