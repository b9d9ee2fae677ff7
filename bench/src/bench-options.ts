/** The bench's command line. */
import { parseArgs } from 'node:util'
import { BIDS_PER_ITEM } from './scenarios/fill-store.ts'

export const scenarioNames = [
  'hot-item',
  'many-items',
  'processes',
  'open-items',
  'many-ends',
  'held-row',
  'outbox-drain',
  'full-outbox',
  'projection',
  'freshness',
  'live-crowd',
  'live-rush',
  'live-return',
  'large-store',
  'long-load',
] as const

/** Not among what runs by default: they take minutes before they measure anything. */
const onDemand: ReadonlySet<string> = new Set(['large-store', 'long-load'])
/** What a chart shows. */
const charted: ReadonlySet<string> = new Set(['hot-item', 'many-items'])

export type ScenarioName = (typeof scenarioNames)[number]

export type BenchOptions = {
  scenarios: readonly ScenarioName[]
  /** Length of one measurement, 1–60. */
  seconds: number
  /** Measurements of each target, 1–20. */
  rounds: number
  /** Of one item, in the crowd, 1–25,000. */
  viewers: number
  /** In the large store before anything is measured, 100–10,000,000. */
  storedBids: number
  /** A missed target fails the command, as a violation always does. */
  strict: boolean
  /** Where to write the chart; undefined for none. */
  chart: string | undefined
}

const defaults = { seconds: 2, rounds: 5, viewers: 10_000, stored: 10_000_000 } as const
/** Viewers: as many as a live process takes; one address has 28,000 free ports. */
const limits = { seconds: 60, rounds: 20, viewers: 25_000, stored: 10_000_000 } as const

export const usage = `Usage: make bench [ARGS="…"], or node bench/src/main.ts [options]

Measures Bidmesh against baselines, side by side, on private Postgres, RabbitMQ and Redis (or on those
named by TEST_DATABASE_URL, TEST_AMQP_URL, TEST_REDIS_URL), and checks after each scenario that no bid
was lost. Progress on stderr, the table on stdout. Takes about twenty minutes.

  --only LIST     comma-separated: ${scenarioNames.join(', ')}
                  (default all but large-store, which needs 15 GB of disk and some minutes to be filled, and
                  long-load, which takes a quarter of an hour)
  --seconds N     length of one measurement, 1–${limits.seconds} (default ${defaults.seconds})
  --rounds N      measurements per target, taken in turns, medians count, 1–${limits.rounds} (default ${defaults.rounds})
  --viewers N     of one item in live-crowd, and at most those in live-rush and live-return, 1–${limits.viewers} (default ${defaults.viewers})
  --stored N      bids in large-store before anything is measured, a hundred to each item, 100–${limits.stored}
                  (default ${defaults.stored})
  --chart FILE    writes accepted bids/s and CPU time per bid of hot-item and many-items as SVG, unless an invariant
                  was violated
  --strict        exit 1 also when a target is missed
  --help

Exit code: 0, or 1 when an invariant was violated or the bench could not run.
`

/** Throws with the usage when the arguments cannot be understood. */
export function readBenchOptions(args: readonly string[]): BenchOptions | 'help' {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        viewers: { type: 'string' },
        stored: { type: 'string' },
        strict: { type: 'boolean', default: false },
        chart: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return 'help'
    const scenarios = scenariosOf(values.only)
    if (values.chart !== undefined && !scenarios.some((name) => charted.has(name))) {
      throw new Error('--chart: there is nothing to show without hot-item and many-items')
    }
    return {
      scenarios,
      seconds: numberOf('seconds', values.seconds),
      rounds: numberOf('rounds', values.rounds),
      viewers: numberOf('viewers', values.viewers),
      storedBids: numberOf('stored', values.stored),
      strict: values.strict,
      chart: values.chart,
    }
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`, {
      cause: error,
    })
  }
}

function scenariosOf(list: string | undefined): readonly ScenarioName[] {
  if (list === undefined) return scenarioNames.filter((name) => !onDemand.has(name))
  return list.split(',').map((name) => {
    const known = scenarioNames.find((each) => each === name.trim())
    if (known === undefined) throw new Error(`--only: there is no scenario "${name}"`)
    return known
  })
}

function numberOf(name: keyof typeof defaults, text: string | undefined): number {
  if (text === undefined) return defaults[name]
  const value = Number(text)
  const step = name === 'stored' ? BIDS_PER_ITEM : 1
  if (!Number.isInteger(value / step) || value < 1 || value > limits[name]) {
    const multiple = step > 1 ? `, a multiple of ${step}` : ''
    throw new Error(`--${name}: expected a whole number from ${step} to ${limits[name]}${multiple}`)
  }
  return value
}
