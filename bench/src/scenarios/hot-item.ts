/**
 * (a) One item that everybody wants: 128 bidders against the lanes, against one transaction per bid
 * (pipelined, and with a round trip per statement), and against a bare Connect echo. A second load has
 * bidders who see nothing but their own answers: nearly all of their bids come too late, and what counts is
 * how fast they are told so.
 */
import { checkBids, drainAndCheck } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import {
  acceptedPerSecond,
  decidedPerSecond,
  medianOf,
  ratioOf,
  type Results,
  runInTurns,
} from '../rounds.ts'
import { startTarget, type Target } from '../target.ts'
import { targetNotes } from '../report/target-notes.ts'
import { tuneBaseline, type TunedBaseline } from '../baseline/tune-baseline.ts'
import type { World } from '../world.ts'

const database = 'hot_item'
const bidders = 128

export async function runHotItem(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', database, 1)
  const server = await startTarget(world, cleanup, 'baseline', database, 1)
  const echo = await startTarget(world, cleanup, 'echo', database, 1)
  const room = { bidders, sight: 'shared' } as const
  const baseline = await tuneBaseline(world, server, true, room)
  const plain = await tuneBaseline(world, server, false, room)
  const { measureMs } = world
  const results = await runInTurns(world, [lanes, baseline, plain, echo], { ...room, measureMs })
  world.log.info({}, 'bidders who see only their own answers')
  const blind = await runInTurns(world, [lanes, baseline], {
    bidders,
    sight: 'own',
    measureMs,
    rounds: 1,
  })
  for (const target of [lanes, server, echo]) await target.server.stop()
  return {
    figures: [...sharedFigures(results, baseline, plain), blindFigure(blind)],
    notes: targetNotes(results),
    violations: [...(await checkBids(world, baseline)), ...(await drainAndCheck(world, lanes))],
  }
}

function sharedFigures(results: Results, baseline: TunedBaseline, plain: TunedBaseline): Figure[] {
  const ours = {
    scenario: 'hot item',
    name: 'accepted bids/s, 128 bidders',
    ours: formatNumber(medianOf(results, 'lanes', acceptedPerSecond)),
  }
  const of = (name: Target['name']): string =>
    formatNumber(medianOf(results, name, acceptedPerSecond))
  return [
    {
      ...ours,
      against: `${of('plain')} one transaction per bid (pool of ${plain.poolSize})`,
      value: ratioOf(results, ['lanes', 'plain'], acceptedPerSecond),
      target: { kind: 'at least', value: 12, unit: '×' },
    },
    {
      ...ours,
      against: `${of('baseline')} the same, pipelined (pool of ${baseline.poolSize})`,
      value: ratioOf(results, ['lanes', 'baseline'], acceptedPerSecond),
    },
    {
      ...ours,
      against: `${of('echo')} bare Connect echo`,
      value: ratioOf(results, ['lanes', 'echo'], acceptedPerSecond),
      target: { kind: 'at least', value: 0.5, unit: '×' },
    },
  ]
}

function blindFigure(results: Results): Figure {
  const of = (name: Target['name']): string =>
    formatNumber(medianOf(results, name, decidedPerSecond))
  return {
    scenario: 'hot item',
    name: 'decided bids/s, each sees only its own answers',
    ours: of('lanes'),
    against: `${of('baseline')} one transaction per bid, pipelined`,
    value: ratioOf(results, ['lanes', 'baseline'], decidedPerSecond),
  }
}
