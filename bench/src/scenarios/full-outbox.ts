/**
 * (n) An outbox in which a million events wait, as after an hour without a broker: how fast the relay's process empties it
 * beside one that was empty, and what bids feel of it, while it waits and while it drains. The queue is purged all the time,
 * so that RabbitMQ keeps little, and what is purged is counted: a message too few voids the figures. More are events that
 * were published again, because a transaction of the relay had failed: they are told.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { claimStatsQueue } from '../claim-stats-queue.ts'
import { checkBids } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { loadFigure } from '../report/load-figure.ts'
import { median } from '../report/percentile.ts'
import { targetNotes } from '../report/target-notes.ts'
import {
  acceptedPerSecond,
  medianOf,
  p99Ms,
  ratioOf,
  type Results,
  runOn,
  takeTurns,
  warmUp,
} from '../rounds.ts'
import { type ServerProcess, spawnServer } from '../spawn-server.ts'
import { startTarget, type Target } from '../target.ts'
import type { World } from '../world.ts'
import { type BenchQueue, openBenchQueue } from './bench-queue.ts'
import { sampleBidEvents } from './sample-events.ts'

const scenario = 'full outbox'
const waitingEvents = 1_000_000
/** At once into an empty one. */
const fewEvents = 20_000
const itemCount = 1_000
/** A new relay compiles its code; then it is measured by itself, from the start and to the end, between which bids come. */
const relayWarmUpMs = 4_000
const drainMs = 15_000
const pollMs = 10
const purgeMs = 500
/** A relay that needs longer has stopped. */
const drainLimitMs = 150_000

const full = { bidders: 128, sight: 'shared' } as const
const some = { bidders: 64, sight: 'shared', ratePerSecond: 100 } as const

export async function runFullOutbox(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const empty = await startTarget(world, cleanup, 'lanes', 'outbox_empty', itemCount)
  const lanes = await startTarget(world, cleanup, 'lanes', 'outbox_full', itemCount)
  const { sql } = lanes
  if (sql === undefined) throw new Error('the lanes have no database')
  await claimStatsQueue(cleanup, world.amqpUrl)
  const queue = cleanup.adopt(await openBenchQueue(world.amqpUrl), (each) => each.close())
  const arrivals = countArrivals(cleanup, queue)
  for (const target of [empty, lanes]) await warmUp(world, target)
  const { measureMs } = world
  const beside = (relay: ServerProcess, suffix: string) => {
    const options = { measureMs, otherServers: [relay.pid, ...world.rabbitmqPids] }
    return takeTurns(world, {
      [`some ${suffix}`]: () => runOn(world, lanes, { ...some, ...options }),
      [`full ${suffix}`]: () => runOn(world, lanes, { ...full, ...options }),
    })
  }

  const first = await startRelay(world, cleanup, lanes)
  await untilEmpty(sql)
  const few = await drainFew(world, sql, arrivals)
  const before = await beside(first, 'before')
  await untilEmpty(sql)
  await first.stop()

  await fill(sql, waitingEvents)
  world.log.info({ events: waitingEvents }, 'waiting in the outbox')
  // As warm as the other, which had the loads of before.
  for (const target of [empty, empty, empty, lanes]) await warmUp(world, target, full.bidders)
  const standing = await takeTurns(world, {
    empty: () => runOn(world, empty, { ...full, measureMs }),
    waiting: () => runOn(world, lanes, { ...full, measureMs }),
  })

  const second = await startRelay(world, cleanup, lanes)
  await sleep(relayWarmUpMs)
  const begin = await arrivals.ratePerSecond(() => sleep(drainMs))
  const during = await beside(second, 'during')
  const end = await arrivals.ratePerSecond(() => untilEmpty(sql))
  world.log.info({ 'begin/s': Math.round(begin), 'end/s': Math.round(end) }, 'drained')
  const results = new Map([...before, ...during])
  const expected = waitingEvents + fewEvents * few.length + lanes.ledger.length
  const arrived = await arrivals.total()
  return {
    figures: [...drainFigures(few, { begin, end }), ...bidFigures(standing, results)],
    notes: [
      `${formatNumber(arrived - expected)} of ${formatNumber(expected)} events were published again`,
      ...targetNotes(standing),
      ...targetNotes(results),
    ],
    violations: [
      ...(arrived >= expected ? [] : [`relay: I4: ${arrived} messages arrived of ${expected}`]),
      ...(await checkBids(world, lanes)),
      ...(await checkBids(world, empty)),
    ],
  }
}

async function startRelay(
  world: World,
  cleanup: AsyncDisposableStack,
  { databaseUrl }: Target,
): Promise<ServerProcess> {
  // Says on stderr why events are published again.
  const env = { DATABASE_URL: databaseUrl, AMQP_URL: world.amqpUrl, LOG_LEVEL: 'warn' }
  return await spawnServer(cleanup, '@bidmesh/outbox-worker/main.ts', env)
}

type Arrivals = {
  /** Messages that have come so far. */
  total: () => Promise<number>
  /** While `work` goes on. */
  ratePerSecond: (work: () => Promise<unknown>) => Promise<number>
}

function countArrivals(cleanup: AsyncDisposableStack, queue: BenchQueue): Arrivals {
  let purged = 0
  const total = async () => {
    // Read after the wait: there are several at a time.
    const count = await queue.purge()
    purged += count
    return purged
  }
  const purging = setInterval(() => void total(), purgeMs)
  cleanup.defer(() => clearInterval(purging))
  return {
    total,
    async ratePerSecond(work) {
      const before = await total()
      const startMs = performance.now()
      await work()
      const tookMs = performance.now() - startMs
      return (((await total()) - before) / tookMs) * 1_000
    },
  }
}

/** Events of items that are not there: nobody but the relay looks at them. */
async function fill(sql: Sql, count: number): Promise<void> {
  const [sample] = sampleBidEvents(1, 1, 1)
  if (sample === undefined) throw new Error('there is no sample event')
  const { payload, type } = sample.event
  await sql`
    INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
    SELECT n % 8, gen_random_uuid(), gen_random_uuid(), ${type}, ${Buffer.from(payload)}, clock_timestamp()
    FROM generate_series(1, ${count}::int) AS n`
}

/** Events per second of each round; the first compiles code and does not count. */
async function drainFew(world: World, sql: Sql, arrivals: Arrivals): Promise<number[]> {
  const rates: number[] = []
  for (let round = 0; round <= world.rounds; round += 1) {
    await fill(sql, fewEvents)
    rates.push(await arrivals.ratePerSecond(() => untilEmpty(sql)))
    world.log.info({ 'drained/s': Math.round(rates[round] ?? 0) }, `a few events: round ${round}`)
  }
  return rates
}

/** By the index, as the relay looks: a scan of the table would read all that has been deleted. */
async function untilEmpty(sql: Sql): Promise<void> {
  const deadlineMs = performance.now() + drainLimitMs
  while (performance.now() < deadlineMs) {
    const rows = await sql`
      SELECT FROM generate_series(0, 7) AS s (shard), LATERAL (
        SELECT FROM outbox o WHERE o.shard = s.shard ORDER BY seq LIMIT 1
      ) AS found LIMIT 1`
    if (rows.length === 0) return
    await sleep(pollMs)
  }
  throw new Error('the relay does not drain')
}

function drainFigures(
  few: readonly number[],
  rates: Readonly<Record<'begin' | 'end', number>>,
): Figure[] {
  const usual = median(few.slice(1))
  return Object.entries(rates).map(([part, perSecond]) => ({
    scenario,
    name: `events/s of a million, at the ${part}`,
    ours: formatNumber(perSecond),
    against: `${formatNumber(usual)} of ${formatNumber(fewEvents)} in an empty one`,
    value: perSecond / usual,
    target: { kind: 'at least', value: 0.8, unit: '×' },
  }))
}

function bidFigures(standing: Results, beside: Results): Figure[] {
  const accepted = (
    results: Results,
    sides: readonly [string, string],
    how: string,
    what: string,
  ): Figure =>
    loadFigure(results, {
      scenario,
      name: `accepted bids/s, ${full.bidders} bidders, ${how}`,
      measure: acceptedPerSecond,
      sides,
      what,
      target: { kind: 'at least', value: 0.9, unit: '×' },
    })
  const slowest = (
    results: Results,
    sides: readonly [string, string],
    how: string,
    what: string,
  ): Figure => ({
    scenario,
    name: `p99 of bids, ${how}, ms`,
    ours: formatNumber(medianOf(results, sides[0], p99Ms)),
    against: `${formatNumber(medianOf(results, sides[1], p99Ms))} ${what}`,
    value: ratioOf(results, sides, p99Ms),
    target: { kind: 'at most', value: 3, unit: '×' },
  })
  const waiting = ['waiting', 'empty'] as const
  const draining = ['full during', 'full before'] as const
  return [
    accepted(standing, waiting, 'a million events waiting', 'with none'),
    slowest(standing, waiting, 'as many bidders, a million waiting', 'with none'),
    accepted(beside, draining, 'while they drain', 'with a relay that keeps up'),
    slowest(beside, draining, 'as many bidders, while they drain', 'with a relay that keeps up'),
    slowest(beside, ['some during', 'some before'], 'at 100/s while they drain', 'before'),
  ]
}
