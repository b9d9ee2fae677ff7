/**
 * (b) A thousand items: 128 bidders spread over them, against the lanes and against one transaction per
 * bid (with a round trip per statement, and pipelined), bids in Redis, and the database alone; and a single bidder, who
 * shares a batch with nobody and must not pay for those who do.
 */
import { startFloor } from '../baseline/database-floor.ts'
import { noRedis, startRedisTarget } from '../baseline/redis-target.ts'
import { tuneBaseline, type TunedBaseline } from '../baseline/tune-baseline.ts'
import { checkBids, drainAndCheck } from '../drain-and-check.ts'
import type { Figure, Outcome } from '../report/figure.ts'
import { loadFigure } from '../report/load-figure.ts'
import { targetBars } from '../report/target-bars.ts'
import { targetNotes } from '../report/target-notes.ts'
import {
  acceptedPerSecond,
  loadsOn,
  p50Ms,
  type Results,
  runInTurns,
  takeTurns,
  warmUp,
} from '../rounds.ts'
import { startTarget } from '../target.ts'
import type { World } from '../world.ts'

const scenario = 'many items'
const database = 'many_items'
const bidders = 128
const itemCount = 1_000
/** As many as the bid service has unless told otherwise. */
const laneCount = 2

export async function runManyItems(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', database, itemCount)
  const server = await startTarget(world, cleanup, 'baseline', database, itemCount)
  const redis = await startRedisTarget(world, cleanup, itemCount)
  const floor = await startFloor(world, cleanup, { database, beside: lanes, laneCount })
  const { measureMs } = world
  const sight = 'shared'
  const baseline = await tuneBaseline(world, server, true, { bidders, sight })
  const plain = await tuneBaseline(world, server, false, { bidders, sight })
  const others = redis ? [redis] : []
  const all = [lanes, baseline, plain, ...others]
  // The baseline is warm from its tuning.
  for (const target of [lanes, ...others]) await warmUp(world, target, bidders)
  const crowd = await takeTurns(world, {
    ...loadsOn(world, all, { bidders, sight, measureMs }),
    floor: floor.run,
  })
  const floorName = await floor.describe()
  world.log.info({}, 'a single bidder')
  const alone = await runInTurns(world, all, { bidders: 1, sight, measureMs })
  for (const target of [lanes, server, ...others]) await target.server.stop()
  return {
    figures: figures(crowd, alone, { plain, baseline, floor: floorName }),
    bars: targetBars(crowd),
    notes: [...targetNotes(crowd), ...(redis ? [] : [noRedis])],
    violations: [
      ...(await checkBids(world, baseline)),
      ...((await redis?.check()) ?? []),
      ...(await floor.check()),
      ...(await drainAndCheck(world, lanes)),
    ],
  }
}

function figures(
  crowd: Results,
  alone: Results,
  { plain, baseline, floor }: { plain: TunedBaseline; baseline: TunedBaseline; floor: string },
): Figure[] {
  const accepted = (name: string, what: string, atLeast?: number): Figure =>
    loadFigure(crowd, {
      scenario,
      name: 'accepted bids/s, 128 bidders, 1,000 items',
      measure: acceptedPerSecond,
      sides: ['lanes', name],
      what,
      ...(atLeast !== undefined && { target: { kind: 'at least', value: atLeast, unit: '×' } }),
    })
  const single = (name: string, what: string, atMost?: number): Figure =>
    loadFigure(alone, {
      scenario,
      name: 'p50 of a single bidder, ms',
      measure: p50Ms,
      sides: ['lanes', name],
      what,
      ...(atMost !== undefined && { target: { kind: 'at most', value: atMost, unit: '×' } }),
    })
  const hasRedis = crowd.has('redis')
  return [
    accepted('plain', `one transaction per bid (pool of ${plain.poolSize})`, 5),
    single('plain', 'one transaction per bid', 0.8),
    accepted('baseline', `the same, pipelined (pool of ${baseline.poolSize})`),
    single('baseline', 'the same, pipelined'),
    ...(hasRedis ? [accepted('redis', 'script in Redis, appendfsync always', 1)] : []),
    ...(hasRedis ? [single('redis', 'script in Redis, appendfsync always')] : []),
    accepted('floor', floor),
  ]
}
