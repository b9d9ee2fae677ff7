/**
 * (m) A hundred thousand open items, bids spread over all of them, beside a thousand: what bids reach, and what the auctioneers
 * use and how late ends are among so many. A batch rarely finds two bids on one item there, nor a page that it has written
 * lately.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { drainAndCheck } from '../drain-and-check.ts'
import { cpuBetween, readCpuSeconds } from '../report/cpu-time.ts'
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
import { endLatenessMs } from './end-lateness.ts'

const scenario = 'open items'
const counts = { few: 1_000, many: 100_000 } as const
const bidders = 128
/** A raise by one rarely changes a price's level, however few bids an item gets. */
const startPrice = 1_000
/** An auctioneer that nothing ends for is watched so long, per round. */
const idleMs = 4_000

type Name = keyof typeof counts
type Market = { target: Target; sql: Sql; auctioneer: ServerProcess }

export async function runOpenItems(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const markets = {
    few: await openMarket(world, cleanup, 'few'),
    many: await openMarket(world, cleanup, 'many'),
  } as const
  const all = Object.values(markets)
  for (const { target } of all) await warmUp(world, target, bidders)
  const { measureMs } = world
  const bid = (name: Name) => () =>
    runOn(world, markets[name].target, { bidders, sight: 'shared', measureMs })
  const results = await takeTurns(world, { few: bid('few'), many: bid('many') })
  const looks: Looks[] = []
  for (let round = 1; round <= world.rounds; round += 1) {
    looks.push({ few: await look(world, markets, 'few'), many: await look(world, markets, 'many') })
    world.log.info({}, `round ${round}: ends, and auctioneers without any`)
  }
  for (const { target, auctioneer } of all) {
    await target.server.stop()
    await auctioneer.stop()
  }
  return {
    figures: [...loadFigures(results), ...lookFigures(looks)],
    notes: targetNotes(results),
    violations: [
      ...(await drainAndCheck(world, markets.few.target)),
      ...(await drainAndCheck(world, markets.many.target)),
    ],
  }
}

async function openMarket(
  world: World,
  cleanup: AsyncDisposableStack,
  name: Name,
): Promise<Market> {
  const target = await startTarget(world, cleanup, 'lanes', name, counts[name], startPrice)
  const { sql } = target
  if (sql === undefined) throw new Error('the lanes have no database')
  await sql`VACUUM ANALYZE`
  const auctioneer = await spawnServer(cleanup, '@bidmesh/bid/auctioneer-main.ts', {
    DATABASE_URL: target.databaseUrl,
    REDIS_URL: world.redisUrl,
  })
  return { target, sql, auctioneer }
}

type Look = { latenessMs: number; cpuMsPerSecond: number }
type Looks = Record<Name, Look>

/** The other auctioneer stands still, and with it its part of Postgres. */
async function look(world: World, markets: Record<Name, Market>, name: Name): Promise<Look> {
  const { sql, auctioneer } = markets[name]
  const other = markets[name === 'few' ? 'many' : 'few'].auctioneer.pid
  const latenessMs = await endLatenessMs(sql)
  process.kill(other, 'SIGSTOP')
  try {
    const of = { servers: [auctioneer.pid], database: world.postmaster }
    const before = await readCpuSeconds(of)
    const startMs = performance.now()
    await sleep(idleMs)
    const seconds = (performance.now() - startMs) / 1_000
    const { server, database } = cpuBetween(before, await readCpuSeconds(of))
    const used = (server ?? Number.NaN) + (database ?? Number.NaN)
    return { latenessMs, cpuMsPerSecond: (used * 1_000) / seconds }
  } finally {
    process.kill(other, 'SIGCONT')
  }
}

function loadFigures(results: Results): Figure[] {
  const sides = ['many', 'few'] as const
  return [
    loadFigure(results, {
      scenario,
      name: `accepted bids/s, ${bidders} bidders, 100,000 items`,
      measure: acceptedPerSecond,
      sides,
      what: 'over 1,000',
      target: { kind: 'at least', value: 0.8, unit: '×' },
    }),
    {
      scenario,
      name: 'p99 of their bids, ms',
      ours: formatNumber(medianOf(results, 'many', p99Ms)),
      against: `${formatNumber(medianOf(results, 'few', p99Ms))} over 1,000`,
      value: ratioOf(results, sides, p99Ms),
    },
  ]
}

function lookFigures(looks: readonly Looks[]): Figure[] {
  const of = (name: Name, what: keyof Look) => median(looks.map((each) => each[name][what]))
  return [
    {
      scenario,
      name: 'an item closed after its end, ms',
      ours: formatNumber(of('many', 'latenessMs')),
      against: `${formatNumber(of('few', 'latenessMs'))} of 1,000`,
      value: of('many', 'latenessMs'),
      target: { kind: 'at most', value: 50, unit: 'ms' },
    },
    {
      scenario,
      name: 'CPU of an auctioneer that waits, Postgres included, ms/s',
      ours: formatNumber(of('many', 'cpuMsPerSecond')),
      against: `${formatNumber(of('few', 'cpuMsPerSecond'))} of 1,000`,
      value: median(looks.map(({ few, many }) => many.cpuMsPerSecond / few.cpuMsPerSecond)),
      target: { kind: 'at most', value: 2, unit: '×' },
    },
  ]
}
