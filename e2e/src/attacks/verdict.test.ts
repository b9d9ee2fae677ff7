import { expect, it } from 'vitest'
import type { ServerMemory } from './server-memory.ts'
import { type Measured, shortcomings } from './verdict.ts'

const MiB = 1024 * 1024

type Look = [resident: number, inUse: number]

function measured(
  looks: [before: Look, worst: Look, after: Look],
  honest: [before: number, during: number],
  failed: Record<string, number> = {},
): Measured {
  const [before, worst, after] = looks.map(([resident, inUse]) => ({
    residentBytes: resident * MiB,
    inUseBytes: inUse * MiB,
  })) as [ServerMemory, ServerMemory, ServerMemory]
  const [beforeMs, duringMs] = honest
  return {
    memory: { before, worst, after },
    honest: { beforeMs, duringMs, afterMs: beforeMs },
    failed,
  }
}

const calm: [Look, Look, Look] = [
  [140, 40],
  [140, 40],
  [140, 40],
]

it.each([
  ['nothing grew', measured(calm, [5, 5]), []],
  [
    'growth below the budget',
    measured(
      [
        [140, 40],
        [331, 103],
        [331, 47],
      ],
      [5, 50],
    ),
    [],
  ],
  ['twice as slow as slow', measured(calm, [40, 80]), []],
  [
    'growth of the budget',
    measured(
      [
        [140, 40],
        [150, 104],
        [140, 40],
      ],
      [5, 5],
    ),
    ['memory'],
  ],
  [
    'native growth',
    measured(
      [
        [140, 40],
        [332, 40],
        [140, 40],
      ],
      [5, 5],
    ),
    ['memory'],
  ],
  [
    'objects kept',
    measured(
      [
        [140, 40],
        [180, 60],
        [180, 48],
      ],
      [5, 5],
    ),
    ['not given back'],
  ],
  [
    'native memory kept',
    measured(
      [
        [140, 40],
        [331, 40],
        [332, 40],
      ],
      [5, 5],
    ),
    ['not given back'],
  ],
  ['noticed', measured(calm, [5, 51]), ['slow']],
  [
    'unknown memory',
    measured(
      [
        [140, 40],
        [Number.NaN, 40],
        [140, 40],
      ],
      [5, 5],
    ),
    ['memory'],
  ],
  ['no bid was answered', measured(calm, [5, Number.NaN]), ['slow']],
  ['bids were lost', measured(calm, [5, 5], { ECONNRESET: 2 }), ['2 bids ECONNRESET']],
])('%s', (_, figures, expected) => {
  expect(shortcomings(figures)).toEqual(expected)
})
