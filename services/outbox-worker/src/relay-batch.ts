/**
 * One transaction of the relay: lock shards, read, publish with everything in flight, await all confirms,
 * delete, commit. What must stay true: a row is deleted only after its event is safe with the broker, and
 * within a shard nothing is deleted, or published for good, past an event that is not. A crash anywhere repeats
 * events and loses none.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { UnroutableError } from '@bidmesh/platform/broker/broker.ts'
import type { Broker, OutgoingEvent } from '@bidmesh/platform/broker/broker.ts'
import type { Session, Transaction } from '@bidmesh/platform/postgres/session.ts'
import type { Tracer } from '@opentelemetry/api'
import { deleteRows, readRows, takeShards } from './outbox.ts'
import type { OutboxRow, Scan } from './outbox.ts'
import { traceProducing } from './producer-span.ts'
import type { RelayMetrics } from './relay-metrics.ts'

/** Half of what a transaction of ours may be silent. */
const KEEP_ALIVE_MS = 1_000

export type ShardOutcome = {
  shard: number
  /** Rows published and deleted: the first of what was read, in `seq` order. */
  done: readonly OutboxRow[]
  /** As many rows were read as were asked for: there may be more. */
  full: boolean
  /** The row behind `done` stays, because no queue is bound for it. */
  blocked?: { eventId: string; reason: string }
}

export type RelayBatchOptions = {
  broker: Broker
  tracer: Tracer
  metrics: RelayMetrics
}

/**
 * Relays one batch of each of these shards that is free and has rows; the outcome lists only those. Rejects
 * when nothing has been deleted, because of the database or of the broker (`BrokerFailure`).
 */
export async function relayBatch(
  session: Session,
  options: RelayBatchOptions,
  scans: readonly Scan[],
): Promise<readonly ShardOutcome[]> {
  const shards = scans.map(({ shard }) => shard)
  return await session.transaction(async (transaction) => {
    const [taken] = await transaction.query((sql) => [takeShards(sql, shards)])
    const free = scans.filter((scan) => taken.some(({ shard }) => shard === scan.shard))
    const rows = free.length === 0 ? [] : await readAll(transaction, free)
    const unroutable =
      rows.length === 0 ? undefined : await keepAlive(transaction, publish(options, rows))
    const outcomes = outcomesOf(free, rows, unroutable)
    const done = outcomes.flatMap((outcome) => outcome.done)
    const committed = await transaction.commit((sql) =>
      done.length === 0 ? [] : [deleteRows(sql, done)],
    )
    return committed.map(() => outcomes)
  })
}

async function readAll(
  transaction: Transaction,
  scans: readonly Scan[],
): Promise<readonly OutboxRow[]> {
  const [rows] = await transaction.query((sql) => [readRows(sql, scans)])
  return rows
}

/** As `work` does, while the transaction does not look forgotten: the server ends one that says nothing for 2 s. */
async function keepAlive<T>(transaction: Transaction, work: Promise<T>): Promise<T> {
  const settled = work.then(
    () => true,
    () => true,
  )
  while (!(await Promise.race([settled, sleep(KEEP_ALIVE_MS, false, { ref: false })])))
    await transaction.query((sql) => [sql`SELECT 1`])
  return await work
}

/** The broker did not take a batch; `cause` says why. */
export class BrokerFailure extends Error {
  override name = 'BrokerFailure'
}

async function publish(
  { broker, tracer, metrics }: RelayBatchOptions,
  rows: readonly OutboxRow[],
): Promise<UnroutableError | undefined> {
  const { events, end } = traceProducing(tracer, rows.map(toEvent))
  const startedMs = performance.now()
  try {
    await broker.publish(events)
    metrics.confirmed(performance.now() - startedMs)
    end()
    return undefined
  } catch (error) {
    end(error)
    if (error instanceof UnroutableError) return error
    throw new BrokerFailure('the broker did not take the events', { cause: error })
  }
}

function outcomesOf(
  scans: readonly Scan[],
  rows: readonly OutboxRow[],
  unroutable: UnroutableError | undefined,
): readonly ShardOutcome[] {
  const stuck = new Set(unroutable?.eventIds)
  const byShard = Map.groupBy(rows, ({ shard }) => shard)
  return scans.flatMap(({ shard, limit }): ShardOutcome[] => {
    const read = byShard.get(shard)
    if (read === undefined) return []
    const first = stuck.size === 0 ? -1 : read.findIndex(({ id }) => stuck.has(id))
    if (unroutable === undefined || first === -1) {
      return [{ shard, done: read, full: read.length === limit }]
    }
    const blocked = { eventId: read[first]?.id ?? '', reason: unroutable.message }
    return [{ shard, done: read.slice(0, first), full: true, blocked }]
  })
}

function toEvent(row: OutboxRow): OutgoingEvent {
  return {
    id: row.id,
    type: row.type,
    key: row.itemId,
    payload: row.payload,
    headers: row.headers,
    occurredAt: row.occurredAt,
  }
}
