import { describe, expect, it } from 'vitest'
import { type Figure, formatNumber, formatTable, verdictOf, withoutEmptyColumns } from './figure.ts'

const figure: Figure = { scenario: 's', name: 'n', ours: '2', against: '1', value: 2 }

describe('verdictOf', () => {
  it.each([
    ['at least', 2, 'ok'],
    ['at least', 2.01, 'missed'],
    ['at most', 2, 'ok'],
    ['at most', 1.99, 'missed'],
  ] as const)('a 2 where %s %d is asked for: %s', (kind, value, verdict) => {
    expect(verdictOf({ ...figure, target: { kind, value, unit: '×' } }, false)).toBe(verdict)
  })

  it('is never ok for a figure that could not be measured', () => {
    const target = { kind: 'at most', value: 2, unit: 'ms' } as const
    expect(verdictOf({ ...figure, value: Number.NaN, target }, false)).toBe('missed')
  })

  it('is VOID after a violation, whatever the figure', () => {
    const target = { kind: 'at least', value: 1, unit: '×' } as const
    expect(verdictOf({ ...figure, target }, true)).toBe('VOID')
  })
})

it('formats numbers to what can be told apart', () => {
  expect([9_876.5, 98.76, 9.876, Number.NaN].map(formatNumber)).toEqual([
    '9,877',
    '98.8',
    '9.88',
    'n/a',
  ])
})

it('leaves columns out that hold nothing', () => {
  const rows = [
    ['bids', '', '5'],
    ['x', '', ''],
  ]
  expect(withoutEmptyColumns(['', 'CPU', 'ours'], rows)).toEqual([
    ['', 'ours'],
    ['bids', '5'],
    ['x', ''],
  ])
})

it('lines the columns of a table up', () => {
  expect(
    formatTable([
      ['', 'ours'],
      ['bids', '5'],
      ['x', '10'],
    ]),
  ).toBe(['      ours', 'bids     5', 'x       10'].join('\n'))
})
