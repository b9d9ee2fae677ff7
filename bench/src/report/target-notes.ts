/** What stands behind the figures of a load: who used how much CPU, how long bidders waited, what failed. */
import { formatNumber } from './figure.ts'
import type { LoadResult } from '../load/load-generator.ts'
import {
  databaseMicros,
  type Measure,
  medianOf,
  p50Ms,
  p99Ms,
  type Results,
  serverMicros,
} from '../rounds.ts'

/** One line per target: medians over the rounds, sums of rejections and failures. */
export function targetNotes(results: Results): string[] {
  return [...results].map(([name, rounds]) => {
    const cpu = (of: string, measure: Measure): string => {
      const microseconds = medianOf(results, name, measure)
      return Number.isNaN(microseconds) ? '' : ` ${of} ${formatNumber(microseconds)}`
    }
    const others = formatNumber(medianOf(results, name, coresOfOthers))
    const p50 = formatNumber(medianOf(results, name, p50Ms))
    const p99 = formatNumber(medianOf(results, name, p99Ms))
    const accepted = rounds.reduce((sum, round) => sum + round.accepted, 0)
    return (
      `${name}: CPU µs per accepted bid${cpu('server', serverMicros)}` +
      `${cpu('database', databaseMicros)}${cpu('generator', generatorMicros)}; ` +
      `p50 ${p50} ms, p99 ${p99} ms; cores used by others ${others}; ` +
      `${formatNumber(accepted)} accepted${notAccepted(rounds)}`
    )
  })
}

const generatorMicros: Measure = ({ cpuSeconds, accepted }) =>
  (cpuSeconds.generator / accepted) * 1e6

/** Cores that neither bidders, server nor database used: the more, the less the figures mean. */
function coresOfOthers({ cpuSeconds, measuredMs }: LoadResult): number {
  const { generator, server = 0, database = 0, machine } = cpuSeconds
  return ((machine - generator - server - database) / measuredMs) * 1_000
}

function notAccepted(rounds: readonly LoadResult[]): string {
  const sums = new Map<string, number>()
  for (const { rejected, failed } of rounds) {
    for (const [reason, count] of [...Object.entries(rejected), ...Object.entries(failed)]) {
      sums.set(reason, (sums.get(reason) ?? 0) + count)
    }
  }
  return [...sums].map(([reason, count]) => `, ${formatNumber(count)} ${reason}`).join('')
}
