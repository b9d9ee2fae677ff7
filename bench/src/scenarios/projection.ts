/**
 * (d) How fast the stats service's projection applies events in batches, against the same code with one
 * transaction per event, as many of them in parallel as serve it best. Each side has a database of its
 * own; counts and sums afterwards say that every event was applied once.
 */
import type { EncodedEvent } from '@bidmesh/events/encode-event.ts'
import type { IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import { migrate } from '@bidmesh/platform/postgres/migrate.ts'
import { connectPostgres, type Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { openSessionPool, type Session } from '@bidmesh/platform/postgres/session.ts'
import { projectEvents } from '@bidmesh/stats/project-events.ts'
import { statsSchema } from '@bidmesh/stats/schema.ts'
import { formatNumber, type Outcome } from '../report/figure.ts'
import { median } from '../report/percentile.ts'
import { sampleBidEvents } from './sample-events.ts'
import type { World } from '../world.ts'

/** What a busy consumer takes at once. */
const batchSize = 1_000
const batchesPerRound = 20
const singlesPerRound = 1_500
const singlesPerTrial = 500
const parallelTried = [1, 2, 4, 8, 16] as const

const items = 500
const users = 1_000

type Side = { sql: Sql; session: Session; events: number; amount: bigint }

export async function runProjection(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const batched = await openSide(world, cleanup, 'batched', 1)
  const single = await openSide(world, cleanup, 'single', Math.max(...parallelTried))
  const parallel = await bestParallel(world, single)
  const batches: number[] = []
  const singles: number[] = []
  // The first round compiles code and does not count.
  for (let round = 0; round <= world.rounds; round += 1) {
    const batchedPerSecond = await measure(batched, batchSize, 1, batchesPerRound * batchSize)
    const singlePerSecond = await measure(single, 1, parallel, singlesPerRound)
    const fields = {
      'batched/s': Math.round(batchedPerSecond),
      'single/s': Math.round(singlePerSecond),
    }
    world.log.info(fields, round === 0 ? 'projection: warm-up' : `projection: round ${round}`)
    if (round === 0) continue
    batches.push(batchedPerSecond)
    singles.push(singlePerSecond)
  }
  const ratios = batches.map((perSecond, round) => perSecond / (singles[round] ?? Number.NaN))
  return {
    figures: [
      {
        scenario: 'projection',
        name: `events/s in batches of ${formatNumber(batchSize)}`,
        ours: formatNumber(median(batches)),
        against: `${formatNumber(median(singles))} one transaction per event (${parallel} in parallel)`,
        value: median(ratios),
        target: { kind: 'at least', value: 10, unit: '×' },
      },
    ],
    notes: [],
    violations: [...(await check('batched', batched)), ...(await check('single', single))],
  }
}

async function openSide(
  world: World,
  cleanup: AsyncDisposableStack,
  name: string,
  max: number,
): Promise<Side> {
  const url = await world.createDatabase(`bidmesh_bench_projection_${name}`)
  await migrate({ ...statsSchema, url, log: world.log })
  const sql = connectPostgres(url, { max: 1, applicationName: 'bench' })
  cleanup.defer(() => sql.end())
  const session = openSessionPool(url, { max, applicationName: 'bench' })
  cleanup.defer(session.close)
  return { sql, session, events: 0, amount: 0n }
}

async function bestParallel(world: World, side: Side): Promise<number> {
  await measure(side, 1, 1, singlesPerTrial)
  const tried: { parallel: number; perSecond: number }[] = []
  for (const parallel of parallelTried) {
    tried.push({ parallel, perSecond: await measure(side, 1, parallel, singlesPerTrial) })
  }
  const best = tried.reduce((a, b) => (b.perSecond > a.perSecond ? b : a))
  const found = tried.map((each): [number, number] => [each.parallel, Math.round(each.perSecond)])
  const what = `one transaction per event: best with ${best.parallel} in parallel; events/s by number`
  world.log.info(Object.fromEntries(found), what)
  return best.parallel
}

/** Applies fresh events and returns how many per second. */
async function measure(side: Side, size: number, parallel: number, count: number): Promise<number> {
  const events = sampleBidEvents(count, items, users)
  side.events += count
  side.amount += events.reduce((sum, { amount }) => sum + amount, 0n)
  const batches: IncomingEvent[][] = []
  for (let start = 0; start < count; start += size) {
    batches.push(events.slice(start, start + size).map(({ event }) => arrived(event)))
  }
  const startedMs = performance.now()
  const consumers = Array.from({ length: parallel }, async () => {
    for (let batch = batches.pop(); batch; batch = batches.pop()) {
      await projectEvents(side.session, batch)
    }
  })
  await Promise.all(consumers)
  return (count / (performance.now() - startedMs)) * 1_000
}

function arrived({ id, type, itemId, payload, occurredAtMs }: EncodedEvent): IncomingEvent {
  const occurredAt = new Date(occurredAtMs)
  return { id, type, key: itemId, payload, headers: {}, occurredAt, redelivered: false }
}

async function check(name: string, { sql, events, amount }: Side): Promise<string[]> {
  const [row] = await sql<{ bids: string; amount: string; inbox: bigint }[]>`
    SELECT sum(total_bids) AS bids, (SELECT sum(total_amount) FROM user_amounts) AS amount,
      (SELECT count(*) FROM inbox_events) AS inbox
    FROM user_stats`
  const expected = `${events} events, ${events} bids, ${amount} in all`
  const stored = `${row?.inbox} events, ${row?.bids} bids, ${row?.amount} in all`
  return stored === expected ? [] : [`${name}: I5: expected ${expected}, stored ${stored}`]
}
