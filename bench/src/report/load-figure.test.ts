import { expect, it } from 'vitest'
import type { LoadResult } from '../load/load-generator.ts'
import { acceptedPerSecond, decidedPerSecond, serverMicrosDecided } from '../rounds.ts'
import { loadFigure } from './load-figure.ts'
import { targetBars } from './target-bars.ts'

/** Of a second, with a server that was busy for half of it. */
function result(accepted: number, tooLow: number, database?: number): LoadResult {
  return {
    measuredMs: 1_000,
    accepted,
    rejected: { too_low: tooLow },
    failed: {},
    latency: { p50Ms: 1, p99Ms: 2 },
    cpuSeconds: { generator: 0.1, server: 0.5, database, machine: 1 },
    nextBids: [],
    ledger: [],
    freshness: undefined,
  }
}

const results = new Map([
  ['lanes', [result(1_000, 0, 0.25), result(3_000, 0, 0.25), result(2_000, 0, 0.25)]],
  ['http', [result(2_000, 0), result(3_000, 0), result(8_000, 0)]],
])
const row = { scenario: 's', name: 'n', sides: ['lanes', 'http'], what: 'echo' } as const

it('shows medians, the median of the ratios of a round, and what an accepted bid costs', () => {
  expect(loadFigure(results, { ...row, measure: acceptedPerSecond })).toEqual({
    scenario: 's',
    name: 'n',
    ours: '2,000',
    against: '3,000 echo',
    cpu: '250 vs 167',
    value: 0.5,
  })
})

it('can count what a decided bid costs, rejections included', () => {
  const own = new Map([
    ['lanes', [result(1_000, 1_000)]],
    ['http', [result(1_000, 4_000)]],
  ])
  const measured = { measure: decidedPerSecond, cost: serverMicrosDecided }
  expect(loadFigure(own, { ...row, ...measured })).toMatchObject({ cpu: '250 vs 100', value: 0.4 })
})

it('has a bar for every target that ran', () => {
  const kind = { lanes: 'ours', http: 'decides nothing' }
  expect(targetBars(results)).toMatchObject([
    { kind: kind.lanes, perSecond: 2_000, serverMicros: 250, databaseMicros: 125 },
    { kind: kind.http, perSecond: 3_000, databaseMicros: Number.NaN },
  ])
})
