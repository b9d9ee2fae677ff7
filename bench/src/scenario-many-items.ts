/**
 * (b) A thousand items: 128 bidders spread over them, against the lanes and against one transaction per
 * bid (pipelined, the stronger variant); and a single bidder, who shares a batch with nobody and must not
 * pay for those who do.
 */
import { checkBids, drainAndCheck } from './drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from './figure.ts'
import {
  acceptedPerSecond,
  type Measure,
  medianOf,
  ratioOf,
  type Results,
  runInTurns,
} from './rounds.ts'
import { startTarget } from './target.ts'
import { targetNotes } from './target-notes.ts'
import { tuneBaseline } from './tune-baseline.ts'
import type { World } from './world.ts'

const database = 'many_items'
const bidders = 128
const itemCount = 1_000

export async function runManyItems(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', database, itemCount)
  const server = await startTarget(world, cleanup, 'baseline', database, itemCount)
  const { measureMs } = world
  const sight = 'shared'
  const baseline = await tuneBaseline(world, server, true, { bidders, sight })
  const both = [lanes, baseline]
  const crowd = await runInTurns(world, both, { bidders, sight, measureMs })
  world.log.info({}, 'a single bidder')
  const alone = await runInTurns(world, both, { bidders: 1, sight, measureMs })
  for (const target of both) await target.server.stop()
  return {
    figures: figures(crowd, alone, baseline.poolSize),
    notes: targetNotes(crowd),
    violations: [...(await checkBids(world, baseline)), ...(await drainAndCheck(world, lanes))],
  }
}

const p50Ms: Measure = ({ latency }) => latency.p50Ms

function figures(crowd: Results, alone: Results, poolSize: number): Figure[] {
  const scenario = 'many items'
  const perSecond = formatNumber(medianOf(crowd, 'baseline', acceptedPerSecond))
  return [
    {
      scenario,
      name: 'accepted bids/s, 128 bidders, 1,000 items',
      ours: formatNumber(medianOf(crowd, 'lanes', acceptedPerSecond)),
      against: `${perSecond} one transaction per bid, pipelined (pool of ${poolSize})`,
      value: ratioOf(crowd, ['lanes', 'baseline'], acceptedPerSecond),
      target: { kind: 'at least', value: 3, unit: '×' },
    },
    {
      scenario,
      name: 'p50 of a single bidder, ms',
      ours: formatNumber(medianOf(alone, 'lanes', p50Ms)),
      against: `${formatNumber(medianOf(alone, 'baseline', p50Ms))} one transaction per bid`,
      value: ratioOf(alone, ['lanes', 'baseline'], p50Ms),
      target: { kind: 'at most', value: 1.2, unit: '×' },
    },
  ]
}
