/**
 * (l) One, two and four bid processes on one database, the bidders spread over them: on one item, where processes take
 * turns at its row, and on a thousand. All share this machine's cores, so what an accepted bid costs counts as much as how
 * many there are.
 */
import { drainAndCheck } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { loadFigure } from '../report/load-figure.ts'
import { targetNotes } from '../report/target-notes.ts'
import {
  acceptedPerCpuSecond,
  acceptedPerSecond,
  decidedPerSecond,
  medianOf,
  p50Ms,
  p99Ms,
  ratioOf,
  type Results,
  runOn,
  serverMicrosDecided,
  takeTurns,
  warmUp,
} from '../rounds.ts'
import type { ServerProcess } from '../spawn-server.ts'
import { spawnTarget, startTarget } from '../target.ts'
import type { World } from '../world.ts'

const scenario = 'processes'
const bidders = 128
const itemCount = 1_000

const counts = [1, 2, 4] as const

export async function runProcesses(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', 'processes', itemCount)
  const further: ServerProcess[] = []
  while (1 + further.length < Math.max(...counts)) {
    further.push(await spawnTarget(world, cleanup, 'lanes', lanes.databaseUrl))
  }
  for (const server of [lanes.server, ...further])
    await warmUp(world, { ...lanes, server }, bidders)
  const { measureMs } = world
  const onItems = (items: typeof lanes.items) =>
    Object.fromEntries(
      counts.map((count) => {
        const target = { ...lanes, items, beside: further.slice(0, count - 1) }
        return [nameOf(count), () => runOn(world, target, { bidders, sight: 'shared', measureMs })]
      }),
    )
  const one = await takeTurns(world, onItems(lanes.items.slice(0, 1)))
  world.log.info({}, `${itemCount} items`)
  const many = await takeTurns(world, onItems(lanes.items))
  for (const { stop } of [lanes.server, ...further]) await stop()
  return {
    figures: [...figures('one item', one), ...figures('1,000 items', many)],
    notes: [
      ...targetNotes(one).map((note) => `one item, ${note}`),
      ...targetNotes(many).map((note) => `1,000 items, ${note}`),
    ],
    violations: await drainAndCheck(world, lanes),
  }
}

function nameOf(count: (typeof counts)[number]): string {
  return count === 1 ? '1 process' : `${count} processes`
}

function figures(where: string, results: Results): Figure[] {
  return counts.slice(1).flatMap((count) => {
    const sides = [nameOf(count), nameOf(1)] as const
    const row = { scenario, sides, what: `by ${nameOf(1)}` }
    const name = (what: string) => `${where}, ${nameOf(count)}: ${what}`
    const latency = (what: string, measure: typeof p99Ms): Figure => ({
      scenario,
      name: name(`${what}, ms`),
      ours: formatNumber(medianOf(results, sides[0], measure)),
      against: `${formatNumber(medianOf(results, sides[1], measure))} by ${nameOf(1)}`,
      value: ratioOf(results, sides, measure),
    })
    return [
      loadFigure(results, { ...row, name: name('accepted bids/s'), measure: acceptedPerSecond }),
      loadFigure(results, {
        ...row,
        name: name('accepted per CPU second, Postgres included'),
        measure: acceptedPerCpuSecond,
      }),
      loadFigure(results, {
        ...row,
        name: name('decided bids/s'),
        measure: decidedPerSecond,
        cost: serverMicrosDecided,
      }),
      latency('p50', p50Ms),
      latency('p99', p99Ms),
    ]
  })
}
