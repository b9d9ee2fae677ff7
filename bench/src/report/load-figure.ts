/** A row about loads on two targets, taken in turns: what each measured, the ratio, and what a bid cost their servers. */
import { type Measure, medianOf, ratioOf, type Results, serverMicros } from '../rounds.ts'
import { type Figure, formatNumber } from './figure.ts'

export type LoadRow = Pick<Figure, 'scenario' | 'name' | 'target'> & {
  measure: Measure
  /** Names of targets: ours, and what it is held against. */
  sides: readonly [string, string]
  /** What that is. */
  what: string
  /** CPU time; of accepted bids when left out. */
  cost?: Measure
}

export function loadFigure(results: Results, row: LoadRow): Figure {
  const { measure, sides, what, cost = serverMicros, ...rest } = row
  const [ours, other] = sides
  const of = (name: string, which: Measure) => formatNumber(medianOf(results, name, which))
  return {
    ...rest,
    ours: of(ours, measure),
    against: `${of(other, measure)} ${what}`,
    cpu: `${of(ours, cost)} vs ${of(other, cost)}`,
    value: ratioOf(results, sides, measure),
  }
}
