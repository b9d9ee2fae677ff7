/**
 * (g) An item in its last minute: two thousand watch, ten bids a second. How long from the decision of a bid
 * (before its commit: the strict end) until the last viewer has it.
 */
import { checkDrained, startPipeline } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { type LiveResult, runLiveLoad } from './live-load.ts'
import { liveNote } from '../report/live-note.ts'
import { percentile } from '../report/percentile.ts'
import { startTarget } from '../target.ts'
import type { World } from '../world.ts'

const viewersMax = 2_000
const ratePerSecond = 10
/** Percentiles of few samples are anecdotes: this many rounds' worth in one go. */
const lengthFactor = 5

export async function runLiveRush(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', 'live_rush', 1)
  const pipeline = await startPipeline(world, cleanup, lanes)
  const result = await runLiveLoad(world, lanes, {
    name: 'ours',
    main: '@bidmesh/live/main.ts',
    viewers: Math.min(viewersMax, world.viewers),
    ratePerSecond,
    measureMs: world.measureMs * lengthFactor,
  })
  return {
    figures: [figure(result)],
    notes: [liveNote(result)],
    violations: [...result.faults, ...(await checkDrained(world, lanes, pipeline))],
  }
}

function figure({ viewers, pacedMs }: LiveResult): Figure {
  const p99Ms = percentile(pacedMs, 0.99)
  const count = viewers.toLocaleString('en-US')
  return {
    scenario: 'live rush',
    name: `decision → last of ${count} viewers, p99 at ${ratePerSecond} bids/s, ms`,
    ours: formatNumber(p99Ms),
    against: `p50 ${formatNumber(percentile(pacedMs, 0.5))}`,
    value: p99Ms,
    target: { kind: 'at most', value: 100, unit: 'ms' },
  }
}
