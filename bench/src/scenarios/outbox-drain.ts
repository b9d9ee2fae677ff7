/**
 * (c) How fast the relay's process empties an outbox into RabbitMQ, against raw confirmed publishing of
 * the same payloads to the same queue. The rows become visible all at once, by one commit; the relay
 * is done when none is left. What arrived is counted: a message too few voids the figure.
 */
import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { NO_HASH } from '@bidmesh/bid/event-chain.ts'
import { chained, insertEvents } from '@bidmesh/bid/append-events.ts'
import type { EncodedEvent } from '@bidmesh/events/encode-event.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { type BenchQueue, openBenchQueue } from './bench-queue.ts'
import { claimStatsQueue } from '../claim-stats-queue.ts'
import { formatNumber, type Outcome } from '../report/figure.ts'
import { median } from '../report/percentile.ts'
import { sampleBidEvents } from './sample-events.ts'
import { spawnServer } from '../spawn-server.ts'
import { bidDatabase } from '../target.ts'
import { openSql, type World } from '../world.ts'

const eventCount = 20_000
const items = 500
const users = 1_000
/** What the measured time may be too long by. */
const pollMs = 5
/** A relay that needs longer has stopped. */
const drainLimitMs = 60_000

export async function runOutboxDrain(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const databaseUrl = await bidDatabase(world, 'outbox')
  const sql = openSql(cleanup, databaseUrl)
  await claimStatsQueue(cleanup, world.amqpUrl)
  const queue = cleanup.adopt(await openBenchQueue(world.amqpUrl), (each) => each.close())
  const env = { DATABASE_URL: databaseUrl, AMQP_URL: world.amqpUrl }
  await spawnServer(cleanup, '@bidmesh/outbox-worker/main.ts', env)
  const drained: number[] = []
  const raw: number[] = []
  const violations: string[] = []
  // The first round compiles code on both sides and does not count.
  for (let round = 0; round <= world.rounds; round += 1) {
    const events = sampleBidEvents(eventCount, items, users).map(({ event }) => event)
    const drainedPerSecond = await drain(sql, queue, events, violations)
    const rawPerSecond = await publishRaw(queue, events)
    world.log.info(
      { 'drained/s': Math.round(drainedPerSecond), 'raw/s': Math.round(rawPerSecond) },
      round === 0 ? 'outbox: warm-up' : `outbox: round ${round}`,
    )
    if (round === 0) continue
    drained.push(drainedPerSecond)
    raw.push(rawPerSecond)
  }
  return outcome(drained, raw, queue.version, violations)
}

async function drain(
  sql: Sql,
  queue: BenchQueue,
  events: readonly EncodedEvent[],
  violations: string[],
): Promise<number> {
  await sql`WITH ${insertEvents(
    sql,
    events.map((event) => chained(event, NO_HASH, { userId: '', origin: noOrigin })),
  )}`
  const startedMs = performance.now()
  while (!(await isEmpty(sql))) {
    if (performance.now() - startedMs > drainLimitMs) throw new Error('the relay does not drain')
    await sleep(pollMs)
  }
  const tookMs = performance.now() - startedMs
  const arrived = await queue.count()
  if (arrived !== events.length) {
    violations.push(`relay: I4: ${arrived} messages arrived of ${events.length}`)
  }
  await queue.purge()
  return (events.length / tookMs) * 1_000
}

async function isEmpty(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ empty: boolean }[]>`SELECT NOT EXISTS (SELECT FROM outbox) AS empty`
  return row?.empty ?? false
}

async function publishRaw(queue: BenchQueue, events: readonly EncodedEvent[]): Promise<number> {
  const payloads = events.map((event) => Buffer.from(event.payload))
  const startedMs = performance.now()
  await queue.publishRaw('bid.placed', payloads)
  const tookMs = performance.now() - startedMs
  await queue.purge()
  return (events.length / tookMs) * 1_000
}

function outcome(
  drained: readonly number[],
  raw: readonly number[],
  version: string,
  violations: string[],
): Outcome {
  return {
    figures: [
      {
        scenario: 'outbox drain',
        name: `events/s from a full outbox of ${formatNumber(eventCount)}`,
        ours: formatNumber(median(drained)),
        against: `${formatNumber(median(raw))} raw confirmed publishing`,
        value: median(drained.map((perSecond, round) => perSecond / (raw[round] ?? Number.NaN))),
        target: { kind: 'at least', value: 0.5, unit: '×' },
      },
    ],
    notes: [`RabbitMQ ${version}, durable quorum queue, persistent and mandatory`],
    violations,
  }
}
