import { expect, it } from 'vitest'
import { type Measured, shortcomings } from './verdict.ts'

const MiB = 1024 * 1024

function measured(
  memory: [before: number, peak: number, after: number],
  honest: [before: number, during: number],
  failed: Record<string, number> = {},
): Measured {
  const [beforeBytes, peakBytes, afterBytes] = memory.map((value) => value * MiB) as typeof memory
  const [beforeMs, duringMs] = honest
  return {
    memory: { beforeBytes, peakBytes, afterBytes },
    honest: { beforeMs, duringMs, afterMs: beforeMs },
    failed,
  }
}

it.each([
  ['nothing grew', measured([200, 200, 200], [5, 5]), []],
  ['growth below the budget, given back', measured([200, 263, 231], [5, 50]), []],
  ['twice as slow as slow', measured([200, 200, 200], [40, 80]), []],
  ['growth of the budget', measured([200, 264, 200], [5, 5]), ['memory']],
  ['kept', measured([200, 240, 232], [5, 5]), ['not given back']],
  ['noticed', measured([200, 200, 200], [5, 51]), ['slow']],
  ['unknown memory', measured([200, Number.NaN, 200], [5, 5]), ['memory']],
  ['no bid was answered', measured([200, 200, 200], [5, Number.NaN]), ['slow']],
  ['bids were lost', measured([200, 200, 200], [5, 5], { ECONNRESET: 2 }), ['2 bids ECONNRESET']],
])('%s', (_, figures, expected) => {
  expect(shortcomings(figures)).toEqual(expected)
})
