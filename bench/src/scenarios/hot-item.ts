/**
 * (a) One item that everybody wants: 128 bidders against the lanes; against one transaction per bid (pipelined, and with a
 * round trip per statement); against bids in Redis; against the database alone; and against servers that decide nothing,
 * our own among them. A second load has bidders who see nothing but their own answers: nearly all of their bids come too
 * late, and what counts is how fast they are told so.
 */
import { checkBids, drainAndCheck } from '../drain-and-check.ts'
import type { Figure, Outcome } from '../report/figure.ts'
import { loadFigure } from '../report/load-figure.ts'
import {
  acceptedPerSecond,
  decidedPerSecond,
  loadsOn,
  type Results,
  runInTurns,
  serverMicrosDecided,
  takeTurns,
  warmUp,
} from '../rounds.ts'
import { startFloor } from '../baseline/database-floor.ts'
import { noRedis, startRedisTarget } from '../baseline/redis-target.ts'
import { startTarget } from '../target.ts'
import { targetBars } from '../report/target-bars.ts'
import { targetNotes } from '../report/target-notes.ts'
import { tuneBaseline, type TunedBaseline } from '../baseline/tune-baseline.ts'
import type { World } from '../world.ts'

const scenario = 'hot item'
const database = 'hot_item'
const bidders = 128

export async function runHotItem(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const start = (name: Parameters<typeof startTarget>[2]) =>
    startTarget(world, cleanup, name, database, 1)
  const lanes = await start('lanes')
  const server = await start('baseline')
  const constant = [await start('library'), await start('responder'), await start('http')]
  const redis = await startRedisTarget(world, cleanup, 1)
  // An item is of one lane.
  const floor = await startFloor(world, cleanup, { database, beside: lanes, laneCount: 1 })
  const room = { bidders, sight: 'shared' } as const
  const baseline = await tuneBaseline(world, server, true, room)
  const plain = await tuneBaseline(world, server, false, room)
  const { measureMs } = world
  const others = [...constant, ...(redis ? [redis] : [])]
  const targets = [lanes, baseline, plain, ...others]
  // The baseline is warm from its tuning.
  for (const target of [lanes, ...others]) await warmUp(world, target, bidders)
  const results = await takeTurns(world, {
    ...loadsOn(world, targets, { ...room, measureMs }),
    floor: floor.run,
  })
  const floorName = await floor.describe()
  world.log.info({}, 'bidders who see only their own answers')
  const blind = await runInTurns(world, [lanes, baseline], {
    bidders,
    sight: 'own',
    measureMs,
    rounds: 1,
  })
  for (const target of [lanes, server, ...others]) await target.server.stop()
  return {
    figures: [
      ...sharedFigures(results, { plain, baseline, floor: floorName }),
      loadFigure(blind, {
        scenario,
        name: 'decided bids/s, each sees only its own answers',
        measure: decidedPerSecond,
        sides: ['lanes', 'baseline'],
        what: 'one transaction per bid, pipelined',
        cost: serverMicrosDecided,
      }),
    ],
    bars: targetBars(results),
    notes: [...targetNotes(results), ...(redis ? [] : [noRedis])],
    violations: [
      ...(await checkBids(world, baseline)),
      ...((await redis?.check()) ?? []),
      ...(await floor.check()),
      ...(await drainAndCheck(world, lanes)),
    ],
  }
}

function sharedFigures(
  results: Results,
  { plain, baseline, floor }: { plain: TunedBaseline; baseline: TunedBaseline; floor: string },
): Figure[] {
  const against = (name: string, what: string, atLeast?: number): Figure =>
    loadFigure(results, {
      scenario,
      name: 'accepted bids/s, 128 bidders',
      measure: acceptedPerSecond,
      sides: ['lanes', name],
      what,
      ...(atLeast !== undefined && { target: { kind: 'at least', value: atLeast, unit: '×' } }),
    })
  return [
    against('plain', `one transaction per bid (pool of ${plain.poolSize})`, 12),
    against('baseline', `the same, pipelined (pool of ${baseline.poolSize})`),
    ...(results.has('redis') ? [against('redis', 'script in Redis, appendfsync always')] : []),
    against('floor', floor),
    against('library', 'library handler, nothing decided', 1.6),
    against('http', 'node:http echo, nothing decided'),
    loadFigure(results, {
      scenario,
      name: 'answers/s, nothing decided',
      measure: acceptedPerSecond,
      sides: ['responder', 'library'],
      what: 'library handler',
    }),
  ]
}
