/**
 * The relay: moves events from the outbox to the broker, in order within each shard and hence within each
 * item. One loop asks which shards have rows (at once while there is more or somebody says so, otherwise backing off
 * from 5 ms to 200, or to 50 while nobody could) and hands them, a few to a transaction, to `relayBatch`. Any number of relays may run: the shard's
 * advisory lock decides who publishes, and whoever does not get it backs off like an idle one.
 *
 * A shard that fails waits, longer each time, and then tries with a single event. An unroutable event thus
 * holds up its own shard until a queue is bound for it, and no other; it is never skipped, because the events
 * behind it may be of the same item.
 *
 * Measured on a busy 2-core machine, Postgres 15 and RabbitMQ 3.10 (quorum queue) on it: 20,000 rows of 300 B
 * drain at 18,500/s, 0.8–0.9 of publishing the same bytes with confirms and nothing else (22,000/s). At 1,000
 * events/s: from commit to consumer 5 ms (p50), 17 ms (p99). An idle relay takes 13 ms of CPU a second (20
 * before it was told of commits).
 * Not flushing the commit of a delete (it would only repeat events) made no difference, so it is flushed.
 */
import { OUTBOX_CHANNEL } from '@bidmesh/events/queues.ts'
import type { Broker, BrokerLog } from '@bidmesh/platform/broker/broker.ts'
import { checkDatabase } from '@bidmesh/platform/postgres/check-database.ts'
import { backoffMs } from '@bidmesh/platform/broker/deliver-batch.ts'
import { messageOf, TransientError } from '@bidmesh/platform/process/errors.ts'
import {
  connectPostgres,
  plannedOnce,
  waitForPostgres,
} from '@bidmesh/platform/postgres/postgres.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { listen, type Listener } from '@bidmesh/platform/postgres/listen.ts'
import { lockedBriefly, openSession } from '@bidmesh/platform/postgres/session.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { withTimeLimit } from '@bidmesh/platform/process/time-limit.ts'
import { trace } from '@opentelemetry/api'
import { findPending, SHARD_COUNT } from './outbox.ts'
import { BrokerFailure, relayBatch } from './relay-batch.ts'
import type { RelayBatchOptions, ShardOutcome } from './relay-batch.ts'
import { observeRelay } from './relay-metrics.ts'
import type { FailureReason } from './relay-metrics.ts'
import { moveCursor } from './scan-cursor.ts'
import { newShard, RETRY_LIMITS, retryLater, scanOf, swept } from './shard.ts'
import type { Shard } from './shard.ts'

/**
 * Shards that share a transaction, so two transactions cover all. At a low rate every batch is a row or two,
 * and a transaction for each of 8 shards costs more than the events do. All 8 in one drain slower: nothing is
 * read or deleted while that one publishes.
 */
const SHARDS_PER_TRANSACTION = 4
const TRANSACTIONS_MAX = SHARD_COUNT / SHARDS_PER_TRANSACTION
/** Connections beside those of the transactions: the poll, and a readiness or metrics query. */
const POOL_SIZE = 2
/** Every statement touches at most 4,000 rows by key. */
const STATEMENT_TIMEOUT_MS = 4_000
/** Between two polls; the longer one is for a relay that is told of events, and looks in case that was lost. */
const POLL_LIMITS = { minMs: 5, maxMs: 50 }
const LISTENING_POLL_LIMITS = { minMs: 5, maxMs: 200 }
/** Longest wait for transactions in hand; the process has 10 s. The rest is rolled back and relayed again. */
const STOP_TIMEOUT_MS = 6_000

export type RelayOptions = {
  /** The write side's database; the service that owns it creates the outbox. */
  databaseUrl: string
  /** The caller closes it after the relay has stopped. */
  broker: Broker
  log: BrokerLog
  /** Gives up waiting for the database; the call then rejects. */
  signal?: AbortSignal
}

export type Relay = {
  /** Rejects when the database or the broker does not answer, or while events cannot leave the outbox. */
  check: () => Promise<void>
  /** Finishes the transactions in hand, starts no other, and closes the relay's connections. */
  stop: () => Promise<void>
}

type State = RelayBatchOptions & {
  sql: Sql
  /** Those without a transaction. */
  idleSessions: Session[]
  shards: readonly Shard[]
  log: BrokerLog
  stopping: boolean
  /** What fails now, so that only changes are logged. */
  failing: Set<string>
  /** Rows have been relayed since the last poll … */
  worked: boolean
  /** … and there are more: poll again at once. */
  more: boolean
  /** Ends the pause between two polls. */
  wake: () => void
  /** Somebody has said, since the last poll began, that there are events: no pause, unless after a failure. */
  told: boolean
  listener: Listener
}

/** Waits for the database and relays from then on, whatever goes away and comes back. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { databaseUrl, broker, log, signal } = options
  const connection = {
    applicationName: 'bidmesh relay',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    // Plans made for each length of an array cost more than what they do: 10,000 ends within a second and what the relay did
    // about them took 2.1 s of Postgres' CPU time, and 1.2 with plans made once.
    settings: { ...plannedOnce, ...lockedBriefly },
  }
  const sql = connectPostgres(databaseUrl, { ...connection, max: POOL_SIZE })
  await waitForPostgres(sql, log, { signal, writes: true })
  const sessions = Array.from({ length: TRANSACTIONS_MAX }, () =>
    openSession(databaseUrl, connection),
  )
  const state: State = {
    sql,
    broker,
    log,
    tracer: trace.getTracer('bidmesh'),
    metrics: observeRelay(sql),
    idleSessions: [...sessions],
    shards: Array.from({ length: SHARD_COUNT }, (_, shard) => newShard(shard)),
    stopping: false,
    failing: new Set(),
    worked: false,
    more: false,
    wake: () => undefined,
    told: false,
    listener: listen(databaseUrl, OUTBOX_CHANNEL, () => {
      state.told = true
      state.wake()
    }),
  }
  const running = run(state)
  return {
    check: async () => {
      const database = checkDatabase(sql, { tables: ['outbox'], writes: true })
      await Promise.all([database, broker.check()])
      const stuck = state.shards.find(({ waitsFor }) => waitsFor !== undefined)
      if (stuck) throw new TransientError(`events wait in the outbox: ${stuck.waitsFor}`)
    },
    stop: async () => {
      state.stopping = true
      state.wake()
      state.metrics.stop()
      await state.listener.stop()
      await withTimeLimit(running, STOP_TIMEOUT_MS, 'stopping the relay').catch(
        (error: unknown) => {
          log.warn({ reason: messageOf(error) }, 'events in hand will be relayed again')
        },
      )
      await Promise.all([...sessions.map((session) => session.close()), sql.end({ timeout: 1 })])
    },
  }
}

async function run(state: State): Promise<void> {
  const work = new Set<Promise<void>>()
  let idlePolls = 0
  let failures = 0
  while (!state.stopping) {
    Object.assign(state, { worked: false, more: false, told: false })
    try {
      const found = await findWork(state)
      recovered(state, 'poll', 'the outbox can be read again')
      failures = 0
      idlePolls = found.length > 0 ? 0 : idlePolls + 1
      startWork(state, found, work)
    } catch (error) {
      failures += 1
      failed(state, 'poll', 'database', 'the outbox cannot be read', { reason: messageOf(error) })
    }
    const pauseMs =
      failures > 0
        ? backoffMs(failures, Math.random, RETRY_LIMITS)
        : backoffMs(idlePolls + 1, Math.random, pollLimits(state))
    if (state.idleSessions.length === 0) await Promise.race(work)
    else if (!state.more && !(state.told && failures === 0)) await pause(state, pauseMs)
    if (state.worked) idlePolls = 0
  }
  await Promise.all(work)
}

function pollLimits({ listener }: State): typeof POLL_LIMITS {
  return listener.isListening() ? LISTENING_POLL_LIMITS : POLL_LIMITS
}

/** A transaction per few shards, as far as there are sessions; the rest is found again by the next poll. */
function startWork(state: State, found: readonly Shard[], work: Set<Promise<void>>): void {
  for (let from = 0; from < found.length; from += SHARDS_PER_TRANSACTION) {
    const session = state.idleSessions.pop()
    if (session === undefined) return
    const done = relayShards(state, session, found.slice(from, from + SHARDS_PER_TRANSACTION))
    work.add(done)
    void done.finally(() => {
      work.delete(done)
      state.idleSessions.push(session)
      if (state.more) state.wake()
    })
  }
}

async function pause(state: State, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  state.wake = resolve
  await promise
  clearTimeout(timer)
}

/** Shards with rows that nobody here is working on or waiting to try again. */
async function findWork({ sql, shards }: State): Promise<readonly Shard[]> {
  const nowMs = performance.now()
  const idle = shards.filter(({ busy, retryAtMs }) => !busy && retryAtMs <= nowMs)
  if (idle.length === 0) return []
  const pending = await findPending(
    sql,
    idle.map((shard) => scanOf(shard, nowMs)),
  )
  const found = idle.filter(({ shard }) => pending.has(shard))
  const empty = idle.filter((shard) => !found.includes(shard))
  for (const shard of empty) delete shard.waitsFor
  // A sweep that found something is not over: the same rows are read next.
  swept(empty, nowMs)
  return found.toSorted((a, b) => a.servedAtMs - b.servedAtMs)
}

/** One transaction of these shards, of which another relay may hold some. */
async function relayShards(
  state: State,
  session: Session,
  shards: readonly Shard[],
): Promise<void> {
  const nowMs = performance.now()
  for (const shard of shards) Object.assign(shard, { busy: true, servedAtMs: nowMs })
  try {
    const scans = shards.map((shard) => scanOf(shard, nowMs))
    const outcomes = await relayBatch(session, state, scans)
    swept(shards, nowMs)
    // Another relay has it, or it is empty; what was read is settled below.
    for (const shard of shards) delete shard.waitsFor
    if (outcomes.length > 0) recovered(state, 'relay', 'events leave the outbox again')
    for (const outcome of outcomes) {
      const shard = state.shards[outcome.shard]
      if (shard !== undefined) settle(state, shard, outcome)
    }
  } catch (error) {
    const reason: FailureReason = error instanceof BrokerFailure ? 'broker' : 'database'
    const cause = error instanceof BrokerFailure ? error.cause : error
    failed(state, 'relay', reason, 'events wait in the outbox', { reason: messageOf(cause) })
    for (const shard of shards) retryLater(shard, messageOf(cause))
  } finally {
    for (const shard of shards) shard.busy = false
  }
}

/** Takes note of what became of a shard's batch. */
function settle(state: State, shard: Shard, { done, full, blocked }: ShardOutcome): void {
  const last = done.at(-1)
  if (last !== undefined) {
    state.worked = true
    state.metrics.published(done.length)
    shard.cursor = moveCursor(shard.cursor, {
      lastSeq: last.seq,
      full,
      oldestRunning: BigInt(last.oldestRunning),
      nextXid: BigInt(last.nextXid),
    })
  }
  const what = `shard ${shard.shard}`
  if (blocked !== undefined) {
    const fields = { shard: shard.shard, ...blocked }
    failed(state, what, 'unroutable', 'a shard waits for a queue to be bound', fields)
    // Progress before the obstacle: the obstacle itself has not been tried again yet.
    if (last !== undefined) shard.failures = 0
    retryLater(shard, blocked.reason)
    return
  }
  shard.failures = 0
  recovered(state, what, 'a shard waits no longer')
  if (full) state.more = true
}

function failed(
  { failing, log, metrics }: State,
  what: string,
  reason: FailureReason,
  message: string,
  fields: object,
): void {
  metrics.failed(reason)
  if (failing.has(what)) return
  failing.add(what)
  log.warn(fields, message)
}

function recovered({ failing, log }: State, what: string, message: string): void {
  if (failing.delete(what)) log.info({ what }, message)
}
