/**
 * (b) A thousand items: 128 bidders spread over them, against the lanes and against one transaction per
 * bid (with a round trip per statement, and pipelined); and a single bidder, who shares a batch with nobody
 * and must not pay for those who do.
 */
import { checkBids, drainAndCheck } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { acceptedPerSecond, medianOf, p50Ms, ratioOf, type Results, runInTurns } from '../rounds.ts'
import { startTarget } from '../target.ts'
import { targetNotes } from '../report/target-notes.ts'
import { tuneBaseline, type TunedBaseline } from '../baseline/tune-baseline.ts'
import type { World } from '../world.ts'

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
  const plain = await tuneBaseline(world, server, false, { bidders, sight })
  const all = [lanes, baseline, plain]
  const crowd = await runInTurns(world, all, { bidders, sight, measureMs })
  world.log.info({}, 'a single bidder')
  const alone = await runInTurns(world, all, { bidders: 1, sight, measureMs })
  for (const target of [lanes, server]) await target.server.stop()
  return {
    figures: [
      ...figures(crowd, alone, plain, 'one transaction per bid', true),
      ...figures(crowd, alone, baseline, 'the same, pipelined', false),
    ],
    notes: targetNotes(crowd),
    violations: [...(await checkBids(world, baseline)), ...(await drainAndCheck(world, lanes))],
  }
}

/** @param judged whether the targets are for this baseline; otherwise it is shown for information */
function figures(
  crowd: Results,
  alone: Results,
  { name, poolSize }: TunedBaseline,
  what: string,
  judged: boolean,
): Figure[] {
  const scenario = 'many items'
  const perSecond = formatNumber(medianOf(crowd, name, acceptedPerSecond))
  const figure = (
    shown: Omit<Figure, 'scenario'>,
    target: NonNullable<Figure['target']>,
  ): Figure => ({
    scenario,
    ...shown,
    ...(judged ? { target } : {}),
  })
  return [
    figure(
      {
        name: 'accepted bids/s, 128 bidders, 1,000 items',
        ours: formatNumber(medianOf(crowd, 'lanes', acceptedPerSecond)),
        against: `${perSecond} ${what} (pool of ${poolSize})`,
        value: ratioOf(crowd, ['lanes', name], acceptedPerSecond),
      },
      { kind: 'at least', value: 3, unit: '×' },
    ),
    figure(
      {
        name: 'p50 of a single bidder, ms',
        ours: formatNumber(medianOf(alone, 'lanes', p50Ms)),
        against: `${formatNumber(medianOf(alone, name, p50Ms))} ${what}`,
        value: ratioOf(alone, ['lanes', name], p50Ms),
      },
      { kind: 'at most', value: 1.2, unit: '×' },
    ),
  ]
}
