/**
 * (f) One item that ten thousand watch, over the live service's own streams and over connect-node's generic
 * ones: the same process and hub otherwise, viewers of the same kind, one after the other. How long until the
 * last viewer has a bid, from its decision on (before its commit: the strict end); what an idle viewer costs in
 * memory, and a delivery in CPU time.
 *
 * Deliveries are counted at one bid a second, where each is a write of its own: at higher rates changes
 * share a write, which would flatter ours. All CPU time of the live process counts.
 */
import { checkDrained, startPipeline } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { type LiveResult, runLiveLoad } from './live-load.ts'
import { liveNote } from '../report/live-note.ts'
import { median, percentile } from '../report/percentile.ts'
import { startTarget } from '../target.ts'
import type { World } from '../world.ts'

const scenario = 'live crowd'
const ratePerSecond = 1
/** Percentiles of few samples are anecdotes: this many rounds' worth in one go. */
const lengthFactor = 12
/**
 * The generic handler needs more than a second per bid, so its delays grow for as long as bids come: a short
 * run is to its favour, and leaves time for the rest of the bench.
 */
const genericLengthFactor = 5

export async function runLiveCrowd(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', 'live_crowd', 1)
  const pipeline = await startPipeline(world, cleanup, lanes)
  const load = { viewers: world.viewers, ratePerSecond }
  const ours = await runLiveLoad(world, lanes, {
    ...load,
    name: 'ours',
    main: '@bidmesh/live/main.ts',
    measureMs: world.measureMs * lengthFactor,
  })
  const generic = await runLiveLoad(world, lanes, {
    ...load,
    name: 'generic',
    main: './baseline/generic-live-server.ts',
    measureMs: world.measureMs * genericLengthFactor,
  })
  return {
    figures: [
      ...delayFigures(ours, generic),
      memoryFigure(ours, generic),
      ...cpuFigures(ours, generic),
    ],
    notes: [liveNote(ours), liveNote(generic), ...generic.faults],
    violations: [...ours.faults, ...(await checkDrained(world, lanes, pipeline))],
  }
}

/** Beyond 10,000 the last viewer waits for all others as well. */
function p99MaxMs(viewers: number): number {
  return viewers > 10_000 ? 250 : 100
}

function p99({ pacedMs }: LiveResult): number {
  return percentile(pacedMs, 0.99)
}

function delayFigures(ours: LiveResult, generic: LiveResult): Figure[] {
  const to = `decision → last of ${formatCount(ours.viewers)} viewers`
  const judged = {
    scenario,
    name: `${to}, p99 at ${ratePerSecond} bid/s, ms`,
    ours: formatNumber(p99(ours)),
  }
  const lone = median(ours.loneMs)
  const genericLone = median(generic.loneMs)
  return [
    {
      ...judged,
      against: `p50 ${formatNumber(percentile(ours.pacedMs, 0.5))}`,
      value: p99(ours),
      target: { kind: 'at most', value: p99MaxMs(ours.viewers), unit: 'ms' },
    },
    {
      ...judged,
      against: `${formatNumber(p99(generic))} generic Connect streams, after ${generic.pacedMs.length} bids`,
      value: held(p99(generic) / p99(ours), generic),
      target: { kind: 'at least', value: 5, unit: '×' },
    },
    {
      scenario,
      name: `${to}, one bid at a time, median, ms`,
      ours: formatNumber(lone),
      against: `${formatNumber(genericLone)} generic Connect streams`,
      value: held(genericLone / lone, generic),
      target: { kind: 'at least', value: 5, unit: '×' },
    },
  ]
}

function memoryFigure(ours: LiveResult, generic: LiveResult): Figure {
  const kilobytes = ours.bytesPerViewer / 1_000
  return {
    scenario,
    name: `memory per idle viewer of ${formatCount(ours.viewers)}, kB`,
    ours: formatNumber(kilobytes),
    against: `${formatNumber(generic.bytesPerViewer / 1_000)} generic Connect streams`,
    value: kilobytes,
    target: { kind: 'at most', value: 20, unit: 'kB' },
  }
}

function cpuFigures(ours: LiveResult, generic: LiveResult): Figure[] {
  const micros = ({ deliveries, cpuSeconds }: LiveResult) => (cpuSeconds.live / deliveries) * 1e6
  const judged = {
    scenario,
    name: 'CPU per delivery of the live process, µs',
    ours: formatNumber(micros(ours)),
  }
  return [
    {
      ...judged,
      against: `${formatNumber(1e6 / micros(ours))} a CPU second`,
      value: micros(ours),
      target: { kind: 'at most', value: 15, unit: 'µs' },
    },
    {
      ...judged,
      against: `${formatNumber(micros(generic))} generic Connect streams`,
      value: held(micros(generic) / micros(ours), generic),
      target: { kind: 'at least', value: 5, unit: '×' },
    },
  ]
}

/** Against streams that did not deliver everything nothing is won: there is no ratio then. */
function held(ratio: number, generic: LiveResult): number {
  return generic.faults.length === 0 ? ratio : Number.NaN
}

function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}
