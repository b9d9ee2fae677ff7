import { expect, it } from 'vitest'
import { readBenchOptions, scenarioNames } from './bench-options.ts'

it('runs everything by default but what takes minutes before it measures', () => {
  const scenarios = scenarioNames.filter((name) => !/^(large-store|long-load)$/.test(name))
  expect(readBenchOptions([])).toMatchObject({ scenarios, strict: false })
})

it('reads its options', () => {
  const args = [
    '--only',
    'freshness,hot-item',
    '--seconds',
    '1',
    '--rounds',
    '2',
    '--viewers',
    '100',
    '--stored',
    '1000',
    '--strict',
    '--chart',
    'figures.svg',
  ]
  expect(readBenchOptions(args)).toEqual({
    scenarios: ['freshness', 'hot-item'],
    seconds: 1,
    rounds: 2,
    viewers: 100,
    storedBids: 1_000,
    strict: true,
    chart: 'figures.svg',
  })
  expect(readBenchOptions(['--help'])).toBe('help')
})

it.each([
  ['--only', 'nothing'],
  ['--seconds', '0'],
  ['--rounds', '1.5'],
  ['--viewers', '25001'],
  ['--stored', '150'],
  ['--only', 'freshness', '--chart', 'figures.svg'],
  ['--loud'],
])('refuses %s %s and shows the usage', (...args) => {
  expect(() => readBenchOptions(args)).toThrow(/Usage: /)
})
