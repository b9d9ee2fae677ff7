/**
 * One Postgres connection on which BEGIN travels with a transaction's first statements and COMMIT with its last: two
 * round trips where `sql.begin` takes four. All our transactions run here: when its connection is lost at the wrong moment, `sql.begin` of postgres.js 3.4.9
 * writes to a socket that is gone, in a timer, and ends the process.
 *
 * What must stay true: a statement is never sent on another connection than the BEGIN before it. When
 * the connection is lost, everything in flight rejects, the session opens a new one only for the next
 * transaction, and the rest of the old transaction is refused before it is sent.
 *
 * Transactions are for changes, so a connection to a server that takes reads only is given up: the next one may
 * lead to the server that took over.
 */
import {
  errorCode,
  isReadOnlyServer,
  ReadOnlyServerError,
  TransientError,
} from '../process/errors.ts'
import { noAnswer } from './postgres-pool.ts'
import { endNow } from './postgres-socket.ts'
import {
  answerLimitMs,
  connectSingle,
  isReadOnly,
  type PostgresOptions,
  reserve,
  type ReservedSql,
} from './postgres-driver.ts'
import { joinLines, reportSilence } from './silent-lines.ts'
import { withTimeLimit } from '../process/time-limit.ts'
import { createTurns, type TurnsOptions } from '../process/turns.ts'

/** Sent together, in this order; nothing of an element that is no query is sent. */
type Statements = readonly PromiseLike<unknown>[]
type ResultsOf<S extends Statements> = { -readonly [Index in keyof S]: Awaited<S[Index]> }

const proof = Symbol('committed')

/** That a transaction is committed, with what is to be made known of it. Only {@link Transaction.commit} makes one. */
export type Committed<T> = {
  readonly [proof]: true
  readonly value: T
  map: <U>(of: (value: T) => U) => Committed<U>
}

export type Transaction = {
  /**
   * Sends statements together, BEGIN before the first of all, and resolves with their results, or rejects with the
   * first failure.
   */
  query: <const S extends Statements>(statements: (sql: ReservedSql) => S) => Promise<ResultsOf<S>>
  /**
   * The same with the last statements, COMMIT behind them.
   *
   * @param beside runs while the commit is under way and is waited for; it must not reject
   */
  commit: <const S extends Statements>(
    statements: (sql: ReservedSql) => S,
    beside?: () => Promise<void>,
  ) => Promise<Committed<ResultsOf<S>>>
}

export type Session = {
  /**
   * Runs `work` on the session's connection. When it throws, the transaction is rolled back and the error thrown on.
   * One call at a time (any number on a pool). Runs it once more when a table was changed under a prepared statement,
   * so `work` must allow that.
   *
   * @param signal of a caller who may leave: then nothing more is sent, COMMIT included
   */
  transaction<T>(
    work: (transaction: Transaction) => Promise<Committed<T>>,
    signal?: AbortSignal,
  ): Promise<T>
  close(): Promise<void>
}

/** A transaction that takes longer (lock waits included) has lost its server: the connection is dropped. */
const MAX_TRANSACTION_MS = 15_000
/** Longest opening of a connection: 5 s until the server lets us in, and a first question. */
const OPEN_LIMIT_MS = 6_000

/** feature_not_supported: "cached plan must not change result type", after ALTER TABLE. */
const PLAN_OUT_OF_DATE = '0A000'
/** How soon after a server that only reads another connection is tried: callers come by the thousand. */
const READ_ONLY_PAUSE_MS = 250

/**
 * For sessions that lock rows others want, and do nothing between two statements but think: if their process
 * stands still for longer (stopped, or a paused virtual machine), the server ends the transaction and lets go.
 */
export const lockedBriefly = { idle_in_transaction_session_timeout: '2000' } as const

type Connection = {
  sql: ReservedSql
  isReadOnly: () => boolean
  isLost: () => boolean
  drop: () => Promise<void>
  /** The answer to what was sent at `sentAtMs` is overdue: this connection is dead, and it is not alone. */
  giveUp: (sentAtMs: number) => void
  /** Longest wait for the answers to what was sent together. */
  limitMs: number | undefined
  heardAtMs: number
  inFlight: { reject: (error: Error) => void }
}

/** Opens no connection yet: the first transaction does. */
export function openSession(url: string, options: Omit<PostgresOptions, 'max'>): Session {
  let current: Connection | undefined
  let readOnlyUntilMs = 0
  const leave = joinLines(url, {
    heardAtMs: () => current?.heardAtMs ?? Infinity,
    giveUp: () => void current?.drop(),
  })

  /** The connection in use, or a new one to a server that takes changes. */
  async function writable(): Promise<Connection> {
    if (performance.now() < readOnlyUntilMs) throw readOnlyServer()
    if (current?.isReadOnly()) await current.drop()
    if (!current || current.isLost()) current = await connect(url, options)
    if (!current.isReadOnly()) return current
    await giveUp(current)
    throw readOnlyServer()
  }

  async function giveUp(connection: Connection): Promise<void> {
    readOnlyUntilMs = performance.now() + READ_ONLY_PAUSE_MS
    await connection.drop()
  }

  async function attempt<T>(
    work: (transaction: Transaction) => Promise<Committed<T>>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted()
    const connection = await writable()
    const limit = setTimeout(() => void connection.drop(), MAX_TRANSACTION_MS)
    try {
      return (await work(transactionOn(connection, signal))).value
    } catch (error) {
      // A lost connection has rolled back already; any doubt about the rollback costs the connection.
      if (isReadOnlyServer(error)) await giveUp(connection)
      else if (!connection.isLost()) await rollBack(connection)
      throw error
    } finally {
      clearTimeout(limit)
    }
  }

  return {
    async transaction(work, signal) {
      try {
        return await attempt(work, signal)
      } catch (error) {
        // Rolled back, and the driver has forgotten the plan that no longer fits.
        const planIsOutOfDate =
          errorCode(error) === PLAN_OUT_OF_DATE || error instanceof NotCommittedError
        if (!planIsOutOfDate) throw error
        return await attempt(work, signal)
      }
    },
    async close() {
      await Promise.all([leave(), current?.drop()])
      current = undefined
    },
  }
}

/**
 * Up to `max` sessions as one: each transaction has a connection of its own, further ones wait for their
 * turn (see `createTurns`).
 */
export function openSessionPool(
  url: string,
  { max, ...options }: PostgresOptions,
  limits?: TurnsOptions,
): Session {
  const sessions = Array.from({ length: max }, () => openSession(url, options))
  const turns = createTurns(sessions, limits)
  return {
    transaction: (work, signal) =>
      turns.run((session) => session.transaction(work, signal), signal),
    async close() {
      await Promise.all(sessions.map((session) => session.close()))
    },
  }
}

/** The session as one caller uses it: when they leave, none of their transactions goes on. */
export function whileHere(session: Session, signal: AbortSignal): Session {
  return {
    transaction: (work) => session.transaction(work, signal),
    close: () => session.close(),
  }
}

async function rollBack(connection: Connection): Promise<void> {
  await send(connection, undefined, (sql) => [sql`ROLLBACK`]).catch(async (error: unknown) => {
    if (!(error instanceof NotCommittedError)) await connection.drop()
  })
}

async function connect(url: string, options: Omit<PostgresOptions, 'max'>): Promise<Connection> {
  let lost = false
  // What waits for answers now, if anything: rejected when the connection goes.
  const inFlight: Connection['inFlight'] = { reject: () => undefined }
  const pool = connectSingle(url, options, () => void drop())
  async function drop(): Promise<void> {
    if (lost) return
    lost = true
    inFlight.reject(lostMidTransaction())
    await endNow(pool)
  }
  const limitMs = answerLimitMs(options)
  function giveUp(sentAtMs: number): void {
    inFlight.reject(noAnswer(limitMs))
    void drop()
    reportSilence(url, sentAtMs)
  }
  try {
    const sql = await withTimeLimit(reserve(pool), OPEN_LIMIT_MS, 'connecting to the database')
    const heardAtMs = performance.now()
    const is = { isReadOnly: () => isReadOnly(pool), isLost: () => lost }
    return { sql, ...is, drop, giveUp, limitMs, heardAtMs, inFlight }
  } catch (error) {
    await drop()
    throw error
  }
}

function transactionOn(connection: Connection, signal: AbortSignal | undefined): Transaction {
  let sent: 'nothing' | 'begin' | 'commit' = 'nothing'
  async function inside<const S extends Statements>(
    statements: (sql: ReservedSql) => S,
    around: Around = {},
  ): Promise<ResultsOf<S>> {
    if (sent === 'commit') throw new Error('the transaction is over')
    const begins = sent === 'nothing'
    sent = around.commits ? 'commit' : 'begin'
    return await send(connection, signal, statements, { ...around, begins })
  }
  return {
    query: (statements) => inside(statements),
    commit: async (statements, beside) =>
      committed(await inside(statements, { commits: true, beside })),
  }
}

function committed<T>(value: T): Committed<T> {
  return { [proof]: true, value, map: (of) => committed(of(value)) }
}

/** What goes with statements. */
type Around = {
  begins?: boolean
  commits?: boolean
  beside?: (() => Promise<void>) | undefined
}

async function send<const S extends Statements>(
  connection: Connection,
  signal: AbortSignal | undefined,
  statements: (sql: ReservedSql) => S,
  { begins = false, commits = false, beside }: Around = {},
): Promise<ResultsOf<S>> {
  signal?.throwIfAborted()
  if (connection.isLost()) throw lostMidTransaction()
  // Told since the last answer: what this transaction has locked will never be written.
  if (connection.isReadOnly()) throw readOnlyServer()
  // The driver never settles what it had queued behind a statement whose types it was still asking for.
  const { promise: lost, reject } = Promise.withResolvers<never>()
  connection.inFlight.reject = reject
  const { limitMs, sql } = connection
  const sentAtMs = performance.now()
  const overdue = limitMs && setTimeout(() => connection.giveUp(sentAtMs), limitMs)
  try {
    const own = statements(sql)
    // Queries are sent when they are waited for, in this order.
    const all = [
      ...(begins ? [sql`BEGIN`] : []),
      ...own,
      ...(commits ? [sql`COMMIT`] : []),
      ...(beside ? [beside()] : []),
    ]
    // All of them, before the first failure is told: nothing may be in flight when the caller goes on.
    await Promise.race([Promise.allSettled(all), lost])
    connection.heardAtMs = performance.now()
    const results = await Promise.all(all)
    if (results.some(isRollback)) throw new NotCommittedError('rolled back instead of committed')
    return await Promise.all(own)
  } finally {
    clearTimeout(overdue)
  }
}

/**
 * The driver sends a statement whose plan is out of date once more by itself: behind the COMMIT that was sent with it,
 * which Postgres has answered with a rollback. Every statement has succeeded then, and nothing is committed.
 */
class NotCommittedError extends TransientError {
  override name = 'NotCommittedError'
}

function isRollback(result: unknown): boolean {
  return (
    typeof result === 'object' &&
    result !== null &&
    'command' in result &&
    result.command === 'ROLLBACK'
  )
}

function readOnlyServer(): ReadOnlyServerError {
  return new ReadOnlyServerError('the database takes reads only')
}

function lostMidTransaction(): TransientError {
  return new TransientError('the database connection was lost mid-transaction')
}
