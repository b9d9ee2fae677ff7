/**
 * (h) Ten thousand items end within a second, while bids on others come at 100/s: how long until a reader sees
 * the last of them closed, and what the bids wait for it. The auctioneer is a process of its own, as in the
 * stack. Twice: with the events left in the outbox until later, and with relay, RabbitMQ and statistics taking
 * them on at once, for which all share the cores.
 */
import { randomUUIDv7 } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { checkDrained, startPipeline } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { medianOf, p99Ms, ratioOf, type Results, runOn, takeTurns, warmUp } from '../rounds.ts'
import { spawnServer } from '../spawn-server.ts'
import { insertItems, startTarget, type Target } from '../target.ts'
import { targetNotes } from '../report/target-notes.ts'
import { untilDrained } from '@bidmesh/invariants/until-drained.ts'
import type { World } from '../world.ts'

const endingCount = 10_000
const spreadMs = 1_000
/** To insert them, in one statement, and to begin the load. */
const lastMs = 8_000
/** Of bids, before and from the first end on: about as long as items end and are closed, so that it shows. */
const measureMs = 2_000
const warmUpMs = 1_000
const itemCount = 200
const bidders = 64
/** What the closings may seem too late by. */
const pollMs = 20
/** An auctioneer that needs longer has stopped. */
const closeLimitMs = 60_000

/** Of the last one closed, until everybody can see it: after the first end, after the last one. */
type Closing = { afterFirstMs: number; afterLastMs: number }

export async function runManyEnds(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', 'many_ends', itemCount)
  const { sql } = lanes
  if (sql === undefined) throw new Error('the lanes have no database')
  const auctioneer = await spawnServer(cleanup, '@bidmesh/bid/auctioneer-main.ts', {
    DATABASE_URL: lanes.databaseUrl,
    REDIS_URL: world.redisUrl,
  })
  await warmUp(world, lanes)
  const alone = await endInTurns(world, lanes, sql, '', [auctioneer.pid])
  const pipeline = await startPipeline(world, cleanup, lanes)
  await untilDrained(sql, pipeline.statsSql, world.log)
  const onward = [pipeline.relay.pid, pipeline.stats.pid, ...world.rabbitmqPids]
  const whole = await endInTurns(world, lanes, sql, ', told at once', [auctioneer.pid, ...onward])
  return {
    figures: [...alone.figures, ...whole.figures],
    notes: [...alone.notes, ...whole.notes],
    violations: await checkDrained(world, lanes, pipeline),
  }
}

/** @param how said of the figures, what else goes on meanwhile */
async function endInTurns(
  world: World,
  lanes: Target,
  sql: Sql,
  how: string,
  otherServers: readonly number[],
): Promise<Omit<Outcome, 'violations'>> {
  const load = { bidders, sight: 'shared', ratePerSecond: 100, warmUpMs, measureMs } as const
  const bid = () => runOn(world, lanes, { ...load, otherServers })
  const closings: Closing[] = []
  const results = await takeTurns(world, {
    before: bid,
    during: async () => {
      const ends = await putUpEnding(sql)
      await sleep(ends.firstInMs - warmUpMs)
      const [result, closing] = await Promise.all([bid(), untilClosed(sql, ends)])
      world.log.info(closing, 'the last one closed')
      closings.push(closing)
      return result
    },
  })
  return {
    figures: figures(results, closings, how),
    notes: targetNotes(results).map((note) => `${note}${how}`),
  }
}

type Ends = { first: Date; last: Date; firstInMs: number }

async function putUpEnding(sql: Sql): Promise<Ends> {
  const ids = Array.from({ length: endingCount }, () => randomUUIDv7())
  await insertItems(sql, ids, { lastMs, spreadMs })
  const [ends] = await sql<[Ends]>`
    SELECT min(end_at) AS first, max(end_at) AS last,
      (extract(epoch FROM min(end_at) - clock_timestamp()) * 1000)::float8 AS "firstInMs"
    FROM items WHERE id = ANY (${ids}::uuid[])`
  if (ends.firstInMs < warmUpMs) throw new Error(`only ${ends.firstInMs} ms left to the first end`)
  return ends
}

/** All others end in days. */
async function untilClosed(sql: Sql, { first, last }: Ends): Promise<Closing> {
  const deadlineMs = performance.now() + closeLimitMs
  while (performance.now() < deadlineMs) {
    const [{ isClosed, ...closing }] = await sql<[Closing & { isClosed: boolean }]>`
      SELECT min(end_at) > ${last} AS "isClosed",
        (extract(epoch FROM clock_timestamp() - ${first}::timestamptz) * 1000)::float8 AS "afterFirstMs",
        (extract(epoch FROM clock_timestamp() - ${last}::timestamptz) * 1000)::float8 AS "afterLastMs"
      FROM items WHERE status = 'active'`
    if (isClosed) return closing
    await sleep(pollMs)
  }
  throw new Error(`items that ended are open after ${closeLimitMs} ms`)
}

/** The worst round is judged: an end is promised to every bidder, not to most. */
function figures(results: Results, closings: readonly Closing[], how: string): Figure[] {
  const scenario = 'many ends'
  const afterLastMs = Math.max(...closings.map((closing) => closing.afterLastMs))
  const afterFirstMs = Math.max(...closings.map((closing) => closing.afterFirstMs))
  return [
    {
      scenario,
      name: `last of 10,000 closed after the last end, worst round${how}, ms`,
      ours: formatNumber(afterLastMs),
      against: `${formatNumber(afterFirstMs)} after the first end`,
      value: afterLastMs,
      target: { kind: 'at most', value: 2_000, unit: 'ms' },
    },
    {
      scenario,
      name: `p99 of bids on others at 100/s${how}, ms`,
      ours: formatNumber(medianOf(results, 'during', p99Ms)),
      against: `${formatNumber(medianOf(results, 'before', p99Ms))} before`,
      value: ratioOf(results, ['during', 'before'], p99Ms),
      target: { kind: 'at most', value: 3, unit: '×' },
    },
  ]
}
