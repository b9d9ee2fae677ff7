/** Runs the scenarios asked for and prints the table. */
import { writeFile } from 'node:fs/promises'
import type { BenchOptions, ScenarioName } from './bench-options.ts'
import { drawChart, type Panel } from './report/chart.ts'
import {
  type Figure,
  formatNumber,
  formatTable,
  type Outcome,
  verdictOf,
  withoutEmptyColumns,
} from './report/figure.ts'
import { runFreshness } from './scenarios/freshness.ts'
import { runFullOutbox } from './scenarios/full-outbox.ts'
import { runHeldRow } from './scenarios/held-row.ts'
import { runHotItem } from './scenarios/hot-item.ts'
import { runLargeStore } from './scenarios/large-store.ts'
import { runLiveCrowd } from './scenarios/live-crowd.ts'
import { runLiveReturn } from './scenarios/live-return.ts'
import { runLiveRush } from './scenarios/live-rush.ts'
import { runLongLoad } from './scenarios/long-load.ts'
import { runManyEnds } from './scenarios/many-ends.ts'
import { runManyItems } from './scenarios/many-items.ts'
import { runOpenItems } from './scenarios/open-items.ts'
import { runOutboxDrain } from './scenarios/outbox-drain.ts'
import { runProcesses } from './scenarios/processes.ts'
import { runProjection } from './scenarios/projection.ts'
import { openWorld, type World } from './world.ts'

const scenarios = {
  'hot-item': runHotItem,
  'many-items': runManyItems,
  processes: runProcesses,
  'open-items': runOpenItems,
  'many-ends': runManyEnds,
  'held-row': runHeldRow,
  'outbox-drain': runOutboxDrain,
  'full-outbox': runFullOutbox,
  projection: runProjection,
  freshness: runFreshness,
  'live-crowd': runLiveCrowd,
  'live-rush': runLiveRush,
  'live-return': runLiveReturn,
  'large-store': runLargeStore,
  'long-load': runLongLoad,
} as const satisfies Record<ScenarioName, (world: World) => Promise<Outcome>>

/** Returns true when no invariant was violated and, if strict, no target missed. */
export async function runBench(options: BenchOptions): Promise<boolean> {
  const world = await openWorld(options)
  const outcomes: Outcome[] = []
  try {
    for (const name of options.scenarios) {
      world.log.info({}, name)
      outcomes.push(await scenarios[name](world))
    }
  } finally {
    await world.stop()
  }
  process.stdout.write(`${report(world.facts, outcomes)}\n`)
  const violated = outcomes.some(({ violations }) => violations.length > 0)
  if (options.chart !== undefined && !violated) {
    await writeFile(options.chart, drawChart(panelsOf(outcomes), world.facts))
  }
  const missed = outcomes.some(({ figures }) =>
    figures.some((figure) => verdictOf(figure, false) === 'missed'),
  )
  return !violated && !(options.strict && missed)
}

function panelsOf(outcomes: readonly Outcome[]): Panel[] {
  return outcomes.flatMap(({ figures, bars }) =>
    bars ? [{ title: figures[0]?.scenario ?? '', bars }] : [],
  )
}

function report(facts: readonly string[], outcomes: readonly Outcome[]): string {
  const header = ['', 'ours', 'against', 'CPU µs/bid', 'result', 'target', '']
  const rows = outcomes.flatMap(({ figures, violations }) =>
    figures.map((figure) => rowOf(figure, violations.length > 0)),
  )
  const notes = outcomes.flatMap((outcome) =>
    outcome.notes.map((note) => `${outcome.figures[0]?.scenario}: ${note}`),
  )
  return [
    ...facts,
    '',
    formatTable(withoutEmptyColumns(header, rows)),
    '',
    ...notes,
    ...outcomes.flatMap(violationLines),
  ].join('\n')
}

function rowOf(figure: Figure, isVoid: boolean): string[] {
  const { scenario, name, ours, against, cpu = '', target, value } = figure
  const sign = target?.kind === 'at most' ? '≤' : '≥'
  return [
    `${scenario}: ${name}`,
    ours,
    against,
    cpu,
    `${formatNumber(value)} ${target?.unit ?? '×'}`,
    target ? `${sign} ${target.value} ${target.unit}` : '',
    verdictOf(figure, isVoid),
  ]
}

function violationLines({ figures, violations }: Outcome): string[] {
  if (violations.length === 0) return []
  return [`${figures[0]?.scenario}: VOID:`, ...violations.map((line) => `  ${line}`)]
}
