/**
 * Loads on targets in turns: every target once per round, one after the other, and ratios of figures taken
 * in the same round, so that the moods of a shared machine hit both sides alike. Figures are medians.
 */
import type { LoadOptions, LoadResult } from './load/load-generator.ts'
import { formatNumber } from './report/figure.ts'
import { median } from './report/percentile.ts'
import type { Target } from './target.ts'
import type { World } from './world.ts'

/** Before the figures count: connections open, code compiled, caches filled. */
const warmUpMs = 500

export type RunOptions = Pick<LoadOptions, 'bidders' | 'sight' | 'measureMs'> &
  Partial<Pick<LoadOptions, 'ratePerSecond' | 'freshness' | 'warmUpMs'>> & {
    /** Processes whose CPU time counts as the server's, beside the target's own. */
    otherServers?: readonly number[]
  }

/** By the name of a target, or of what was done to it. */
export type Results = ReadonlyMap<string, readonly LoadResult[]>

/** At full speed: at 100 bids/s it takes a server a minute to compile its hot paths. */
const compileMs = 2_000

/** Before loads of few bids a second, or beside a target that has been loaded already. */
export async function warmUp(world: World, target: Target, bidders = 64): Promise<void> {
  await runOn(world, target, { bidders, sight: 'shared', measureMs: compileMs })
}

/** One load on a target; its acknowledgements join the ledger. */
export async function runOn(
  world: World,
  target: Target,
  { otherServers = [], ...options }: RunOptions,
): Promise<LoadResult> {
  await target.prepare?.()
  const servers = [target.server, ...(target.beside ?? [])]
  const result = await world.load.run({
    urls: servers.map(({ url }) => url),
    items: target.items,
    cpuOf: {
      servers: [...servers.map(({ pid }) => pid), ...otherServers],
      database: target.database,
    },
    warmUpMs,
    ...options,
  })
  if (target.decides) {
    for (const entry of result.ledger) target.ledger.push(entry)
    for (const [index, item] of target.items.entries()) {
      item.nextBid = result.nextBids[index] ?? item.nextBid
    }
  }
  return result
}

/** Runs every target once per round. */
export async function runInTurns(
  world: World,
  targets: readonly Target[],
  options: RunOptions & { rounds?: number },
): Promise<Results> {
  const { rounds, ...runOptions } = options
  return await takeTurns(world, loadsOn(world, targets, runOptions), rounds)
}

/** By name. */
type Loads = Readonly<Record<string, () => Promise<LoadResult>>>

export function loadsOn(world: World, targets: readonly Target[], options: RunOptions): Loads {
  const loads = targets.map((target) => [target.name, () => runOn(world, target, options)] as const)
  return Object.fromEntries(loads)
}

/** Runs every load once per round. */
export async function takeTurns(
  world: World,
  loads: Loads,
  rounds = world.rounds,
): Promise<Results> {
  const results = new Map(Object.keys(loads).map((name): [string, LoadResult[]] => [name, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, load] of Object.entries(loads)) {
      const result = await load()
      results.get(name)?.push(result)
      logRound(world, `round ${round}: ${name}`, result)
    }
  }
  return results
}

function logRound(world: World, what: string, result: LoadResult): void {
  const { latency, rejected, failed } = result
  const fields = {
    'accepted/s': Math.round(acceptedPerSecond(result)),
    p50Ms: formatNumber(latency.p50Ms),
    p99Ms: formatNumber(latency.p99Ms),
  }
  world.log.info({ ...fields, ...rejected, ...failed }, what)
}

export function acceptedPerSecond({ accepted, measuredMs }: LoadResult): number {
  return (accepted / measuredMs) * 1_000
}

/** Accepted or rejected by the rules. */
export function decidedPerSecond(result: LoadResult): number {
  return (decided(result) / result.measuredMs) * 1_000
}

function decided({ accepted, rejected }: LoadResult): number {
  return Object.values(rejected).reduce((sum, count) => sum + count, accepted)
}

export type Measure = (result: LoadResult) => number

/** Of the server's processes, for each bid that was accepted. */
export const serverMicros: Measure = ({ cpuSeconds, accepted }) =>
  micros(cpuSeconds.server, accepted)
/** The same for its database. */
export const databaseMicros: Measure = ({ cpuSeconds, accepted }) =>
  micros(cpuSeconds.database, accepted)
/** Of the server's processes, for each bid that was accepted or rejected. */
export const serverMicrosDecided: Measure = (result) =>
  micros(result.cpuSeconds.server, decided(result))

/** Of the server's processes and its database together. */
export const acceptedPerCpuSecond: Measure = ({ cpuSeconds, accepted }) => {
  const { server = Number.NaN, database = Number.NaN } = cpuSeconds
  return accepted / (server + database)
}

function micros(seconds: number | undefined, bids: number): number {
  return ((seconds ?? Number.NaN) / bids) * 1e6
}

export const p50Ms: Measure = ({ latency }) => latency.p50Ms
export const p99Ms: Measure = ({ latency }) => latency.p99Ms

/** Median over the rounds of a target; NaN when it did not run. */
export function medianOf(results: Results, name: string, measure: Measure): number {
  return median((results.get(name) ?? []).map(measure))
}

/** Median of what one target measured divided by what the other did in the same round. */
export function ratioOf(
  results: Results,
  [name, other]: readonly [string, string],
  measure: Measure,
): number {
  const others = results.get(other) ?? []
  const ratios = (results.get(name) ?? []).flatMap((result, round) => {
    const beside = others[round]
    return beside ? [measure(result) / measure(beside)] : []
  })
  return median(ratios)
}
