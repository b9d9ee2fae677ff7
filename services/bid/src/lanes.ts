/**
 * The lanes of a process, through which all commands on items go: each with one connection (and one for busy items),
 * each item always in the same one. In front of them stands the early answer: the last committed state of an item may
 * reject a bid at once, for reasons that cannot become false; it never accepts. A bid with an idempotency key is
 * always decided in its lane, because only there is it known whether the key has already placed it.
 */
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import type { Command, PlaceBid } from '@bidmesh/auction/commands.ts'
import { rejectStale } from '@bidmesh/auction/decide.ts'
import { isUnavailable } from '@bidmesh/platform/process/errors.ts'
import { plannedOnce } from '@bidmesh/platform/postgres/postgres.ts'
import { startSampledSpans } from '@bidmesh/platform/telemetry/sampled-spans.ts'
import { lockedBriefly, openSession, type Session } from '@bidmesh/platform/postgres/session.ts'
import { SpanKind, trace } from '@opentelemetry/api'
import { LRUCache } from 'lru-cache'
import type { BidEntry, BidOutcome, ChangeOutcome, CommandEntry, Outcome } from './decide-batch.ts'
import { createBidderPlaces } from './bidder-places.ts'
import { createLane, type Lane } from './lane.ts'
import type { Commit } from './lane-entry.ts'
import type { BidMetrics } from './metrics.ts'
import { executeBatch, type Invalidate } from './execute-batch.ts'

/** Longest a bid waits for an item that somebody else holds; then it is answered ABORTED, undecided. */
const MAX_HELD_MS = 5_000
/**
 * Longest wait for a lock at a time: what another process, a command or the auctioneer holds is free within
 * milliseconds. Whoever needs longer is not waited for any more, only looked at (`busy-lane.ts`).
 */
const LOCK_TIMEOUT_MS = 250
/** Waits for locks and the work; a second later the connection counts as dead. */
const STATEMENT_TIMEOUT_MS = 4_000
/** States remembered for early answers: 10,000 of about 0.5 kB. */
const MAX_REMEMBERED_STATES = 10_000

export type Lanes = {
  /**
   * Decides a bid. Rejects when it was not decided: see `createLane` and `executeBatch`.
   *
   * @param signal aborts when the caller leaves or its deadline passes
   */
  place(entry: BidEntry, signal: AbortSignal): Promise<BidOutcome>
  /** The same for a command of another kind. */
  change(entry: ChangeEntry, signal: AbortSignal): Promise<ChangeOutcome>
  /** Waits for what is under way and closes the connections. */
  stop(): Promise<void>
}

export type ChangeEntry = CommandEntry<Exclude<Command, PlaceBid>>

export type LanesOptions = {
  databaseUrl: string
  /** How many: 1–64, each a connection. */
  lanes: number
  invalidate: Invalidate
  /** After each batch: its events, if it has any, are in the outbox. */
  wakeRelay: () => void
  metrics: BidMetrics
  /** Longest wait for an item that somebody else holds; 5 s when left out. */
  maxHeldMs?: number
}

export function createLanes(options: LanesOptions): Lanes {
  const { databaseUrl, lanes: laneCount, metrics } = options
  const states = new LRUCache<string, AuctionState>({ max: MAX_REMEMBERED_STATES })
  const places = createBidderPlaces()
  const open = () =>
    openSession(databaseUrl, {
      applicationName: 'bidmesh bid lane',
      settings: { ...plannedOnce, ...lockedBriefly },
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    })
  // The second of each for busy items: it connects when there is one.
  const sessions = Array.from({ length: laneCount }, () => [open(), open()] as const)
  const lanes = sessions.map(([session, busy]) => laneOn(session, busy, options))

  async function submit(entry: CommandEntry, signal: AbortSignal): Promise<Outcome> {
    const lane = lanes[laneOf(entry.itemId, laneCount)]
    if (!lane) throw new Error('an item without a lane')
    const outcome = await lane.submit(entry, signal)
    if (outcome.state) remember(states, outcome.state)
    if (outcome.kind === 'rejected') {
      const { itemId, command } = entry
      metrics.rejected({ command: command.kind, itemId, reason: outcome.rejection, early: false })
    }
    return outcome
  }

  return {
    async place(entry, signal) {
      const stale = entry.idempotencyKey === '' ? states.get(entry.itemId) : undefined
      const reason = stale && rejectStale(stale, entry.command, Date.now())
      if (reason) {
        metrics.rejected({ command: 'place_bid', itemId: entry.itemId, reason, early: true })
        return { kind: 'rejected', rejection: reason, state: stale }
      }
      const outcome = await places.run(entry.command.userId, () => submit(entry, signal))
      if (outcome.kind === 'changed') throw new Error('a bid was carried out as another command')
      if (outcome.kind === 'accepted') metrics.accepted()
      return outcome
    },
    async change(entry, signal) {
      const outcome = await submit(entry, signal)
      if (outcome.kind === 'changed' || outcome.kind === 'rejected') return outcome
      throw new Error('a command was carried out as a bid')
    },
    async stop() {
      await Promise.all(lanes.map((lane) => lane.idle()))
      await Promise.all(sessions.flat().map((session) => session.close()))
    },
  }
}

function laneOn(
  session: Session,
  busy: Session,
  options: LanesOptions,
): Lane<CommandEntry, Outcome> {
  const { metrics, maxHeldMs = MAX_HELD_MS } = options
  const commit = commitOn(session, options)
  const commitBusy = commitOn(busy, options)
  return createLane({
    keyOf: (entry) => entry.itemId,
    commit: (...batch) => commit(undefined, ...batch),
    commitBusy,
    // Without a database no command of the batch fares better alone.
    isBatchFatal: isUnavailable,
    maxHeldMs,
    onBatch: metrics.batch,
  })
}

function commitOn(session: Session, { invalidate, wakeRelay, metrics }: LanesOptions) {
  const tracer = trace.getTracer('bidmesh')
  return async (
    waitFor: ReadonlySet<string> | undefined,
    ...[batch, hasLeft]: Parameters<Commit<CommandEntry, Outcome>>
  ) => {
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
      const options = { invalidate, hasLeft, ...(waitFor && { waitFor }) }
      const outcomes = await executeBatch(session, batch, options)
      wakeRelay()
      endSpans()
      return outcomes
    } catch (error) {
      endSpans(error)
      throw error
    } finally {
      metrics.transaction(performance.now() - startMs)
    }
  }
}

function remember(states: LRUCache<string, AuctionState>, state: AuctionState): void {
  const known = states.get(state.itemId)
  if (!known || known.version < state.version) states.set(state.itemId, state)
}

/** By other digits of the UUID's random tail than the outbox shard, so that the two do not go in step. */
function laneOf(itemId: string, laneCount: number): number {
  return Number.parseInt(itemId.slice(-8, -4), 16) % laneCount
}
