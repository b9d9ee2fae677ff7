/**
 * A pool of postgres.js behind a face that stays. What must stay true: no query waits longer than its time
 * limit, whatever became of its connection, and no connection object of the driver is used again once its
 * socket is gone. postgres.js 3.4.9 carries half-sent bytes and statements over into the next socket: the
 * first then never answers, the second are answered with nothing. So the loss of one connection retires its
 * whole pool: what is under way there ends as it may, what comes next goes to a new one.
 */
import { TransientError } from '../process/errors.ts'
import type { PoolEvents, SinglePool, Sql } from './postgres-driver.ts'
import { endNow } from './postgres-socket.ts'
import { joinLines, reportSilence } from './silent-lines.ts'

/** While a server only reads, a pool looks this often whether a new connection leads elsewhere. */
const RENEW_PAUSE_MS = 1_000

export type PoolOptions = {
  url: string
  /** Opens nothing yet. */
  create: (events: PoolEvents) => SinglePool
  /** From the call of a query to its answer, the wait for a connection included; undefined is unlimited. */
  limitMs: number | undefined
}

type Generation = {
  sql: SinglePool
  /** Queries sent and not answered. */
  inFlight: number
  readsOnly: boolean
  retired: boolean
}

/** The pool, which the caller ends. */
export function renewedPool({ url, create, limitMs }: PoolOptions): Sql {
  const generations = new Set<Generation>()
  let heardAtMs = performance.now()
  let renewedAtMs = -RENEW_PAUSE_MS
  let ended = false
  let current = renew()

  function renew(): Generation {
    const onLost = (): void => retire(next)
    const sql = create({ onLost, onReadOnly: () => (next.readsOnly = true) })
    const next: Generation = { sql, inFlight: 0, readsOnly: false, retired: false }
    generations.add(next)
    return next
  }

  function retire(generation: Generation): void {
    if (generation.retired || ended) return
    generation.retired = true
    current = renew()
    if (generation.inFlight === 0) void discard(generation)
  }

  async function discard(generation: Generation): Promise<void> {
    generations.delete(generation)
    await endNow(generation.sql)
  }

  /** A call on the pool: if it makes a query, that is counted and timed from when it is sent. */
  function use<T>(call: (sql: SinglePool) => T): T {
    if (current.readsOnly && performance.now() - renewedAtMs >= RENEW_PAUSE_MS) {
      renewedAtMs = performance.now()
      retire(current)
    }
    const generation = current
    const made = call(generation.sql)
    watch(made, limitMs, {
      sent: () => (generation.inFlight += 1),
      overdue: (sentAtMs) => {
        retire(generation)
        reportSilence(url, sentAtMs)
      },
      settled: (answered) => {
        if (answered) heardAtMs = performance.now()
        generation.inFlight -= 1
        if (generation.retired && generation.inFlight === 0) void discard(generation)
      },
    })
    return made
  }

  const leave = joinLines(url, {
    heardAtMs: () => heardAtMs,
    giveUp: () => {
      const silent = [...generations]
      retire(current)
      // What is under way there rejects now instead of at its limit.
      for (const generation of silent) void discard(generation)
    },
  })

  async function end(options?: { timeout?: number | undefined }): Promise<void> {
    ended = true
    await leave()
    await Promise.all(
      [...generations].map(async ({ sql }) => {
        await sql.end(options)
        await endNow(sql)
      }),
    )
  }

  return faceOf(() => current.sql, use, end)
}

/** What callers hold: queries go through `use`, and the rest is the pool's that is current. */
function faceOf(
  current: () => SinglePool,
  use: <T>(call: (sql: SinglePool) => T) => T,
  end: Sql['end'],
): Sql {
  return new Proxy<Sql>(current(), {
    apply: (_target, _this, args) => use((sql) => Reflect.apply(sql, undefined, args)),
    get: (_target, name) => {
      if (name === 'end') return end
      if (name === 'unsafe')
        return (...args: Parameters<Sql['unsafe']>) => use((sql) => sql.unsafe(...args))
      return Reflect.get(current(), name)
    },
  })
}

type Watcher = {
  sent: () => void
  overdue: (sentAtMs: number) => void
  settled: (answered: boolean) => void
}

/** Sees a query of the driver leave, if it ever does: one that is part of another is never sent itself. */
function watch(made: unknown, limitMs: number | undefined, watcher: Watcher): void {
  if (!(made instanceof Promise)) return
  const send: unknown = Reflect.get(made, 'handler')
  const reject: unknown = Reflect.get(made, 'reject')
  if (typeof send !== 'function' || typeof reject !== 'function') return
  Reflect.set(made, 'handler', () => {
    const sentAtMs = performance.now()
    const late = (): void => {
      reject(noAnswer(limitMs))
      watcher.overdue(sentAtMs)
    }
    const timer = limitMs && setTimeout(late, limitMs)
    const settle = (answered: boolean) => () => {
      clearTimeout(timer)
      watcher.settled(answered)
    }
    watcher.sent()
    made.then(settle(true), settle(false))
    send(made)
  })
}

/** Of a statement whose time limit has passed without a word from the server. */
export function noAnswer(limitMs: number | undefined): TransientError {
  return new TransientError(`the database has not answered within ${limitMs} ms`)
}
