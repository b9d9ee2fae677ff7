/**
 * The lanes of a process: each with one connection, each item always in the same one. In front of them
 * stands the early answer: the last committed head of an item may refuse a bid at once, for reasons that
 * cannot become false; it never accepts. A bid with an idempotency key is always decided in its lane,
 * because only there is it known whether the key has already placed it.
 */
import { isUnavailable } from '@bidmesh/platform/errors.ts'
import { plannedOnce } from '@bidmesh/platform/postgres.ts'
import { startSampledSpans } from '@bidmesh/platform/sampled-spans.ts'
import { openSession, type Session } from '@bidmesh/platform/session.ts'
import { SpanKind, trace } from '@opentelemetry/api'
import { LRUCache } from 'lru-cache'
import { type Head, refuseEarly } from './auction.ts'
import { createLane, type Lane } from './lane.ts'
import type { BidMetrics } from './metrics.ts'
import { type BidEntry, type BidOutcome, type Invalidate, placeBids } from './place-bids.ts'

/** Longest wait for an item's lock. Beyond it the bid is answered ABORTED, undecided. */
const LOCK_TIMEOUT_MS = 5_000
/** The wait for the lock and a second for the work; another second later the connection counts as dead. */
const STATEMENT_TIMEOUT_MS = 6_000
/** Heads remembered for early answers: 10,000 of about 0.5 kB. */
const MAX_REMEMBERED_HEADS = 10_000

export type Lanes = {
  /**
   * Decides a bid. Rejects when it was not decided: see `createLane` and `placeBids`.
   *
   * @param signal aborts when the caller leaves or its deadline passes
   */
  place(entry: BidEntry, signal: AbortSignal): Promise<BidOutcome>
  /** Waits for what is under way and closes the connections. */
  stop(): Promise<void>
}

export type LanesOptions = {
  databaseUrl: string
  /** How many: 1–64, each a connection. */
  lanes: number
  invalidate: Invalidate
  metrics: BidMetrics
  /** Longest wait for an item's lock; 5 s when left out. */
  lockTimeoutMs?: number
}

export function createLanes(options: LanesOptions): Lanes {
  const { databaseUrl, lanes: laneCount, metrics } = options
  const heads = new LRUCache<string, Head>({ max: MAX_REMEMBERED_HEADS })
  const sessions = Array.from({ length: laneCount }, () =>
    openSession(databaseUrl, {
      applicationName: 'bidmesh bid lane',
      settings: plannedOnce,
      lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    }),
  )
  const lanes = sessions.map((session) => laneOn(session, options))

  return {
    async place(entry, signal) {
      const oldHead = entry.idempotencyKey === '' ? heads.get(entry.itemId) : undefined
      const refusal = oldHead && refuseEarly(oldHead, entry, Date.now())
      if (refusal) {
        metrics.rejected(refusal, true)
        return { kind: 'refused', refusal, head: oldHead }
      }
      const lane = lanes[laneOf(entry.itemId, laneCount)]
      if (!lane) throw new Error('an item without a lane')
      const outcome = await lane.submit(entry, signal)
      if (outcome.kind === 'refused') metrics.rejected(outcome.refusal, false)
      if (outcome.kind === 'accepted') metrics.accepted()
      if (outcome.head) remember(heads, outcome.head)
      return outcome
    },
    async stop() {
      await Promise.all(lanes.map((lane) => lane.idle()))
      await Promise.all(sessions.map((session) => session.close()))
    },
  }
}

function laneOn(
  session: Session,
  { invalidate, metrics }: LanesOptions,
): Lane<BidEntry, BidOutcome> {
  const tracer = trace.getTracer('bidmesh')
  return createLane({
    async commit(batch) {
      const startMs = performance.now()
      const attributes = { 'bidmesh.lane.batch_size': batch.length }
      // Under the span of each bid's call, for sampled traces.
      const endSpans = startSampledSpans(
        tracer,
        SpanKind.INTERNAL,
        batch,
        (entry) => entry.trace,
        () => ({ name: 'commit batch', attributes }),
      )
      try {
        const outcomes = await placeBids(session, batch, invalidate)
        endSpans()
        return outcomes
      } catch (error) {
        endSpans(error)
        throw error
      } finally {
        metrics.transaction(performance.now() - startMs)
      }
    },
    // Without a database no bid of the batch fares better alone.
    isBatchFatal: isUnavailable,
    onBatch: metrics.batch,
  })
}

function remember(heads: LRUCache<string, Head>, head: Head): void {
  const known = heads.get(head.itemId)
  if (!known || known.version < head.version) heads.set(head.itemId, head)
}

/** By other digits of the UUID's random tail than the outbox shard, so that the two do not go in step. */
function laneOf(itemId: string, laneCount: number): number {
  return Number.parseInt(itemId.slice(-8, -4), 16) % laneCount
}
