import { expect, it } from 'vitest'
import { formatMoney } from '../ui/money.ts'
import { formatCount, formatSum, formatSums, sellThrough } from './sums.ts'

it('shows a sum as money only when its currency is known', () => {
  expect(formatSum(123_450n, 'EUR')).toBe(formatMoney(123_450n, 'EUR'))
  expect(formatSum(123_450n, '')).toBe(
    new Intl.NumberFormat(undefined, { minimumFractionDigits: 2 }).format(1_234.5),
  )
  expect(formatSum(9_223_372_036_854_775_807n, '').replaceAll(/\D/g, '')).toBe(
    '9223372036854775807',
  )
  expect(formatSum(5n, '')).toMatch(/^0\D05$/)
})

it('groups counts', () => {
  expect(formatCount(1_234_567n)).toBe(new Intl.NumberFormat().format(1_234_567))
})

it('gives each currency a line of its own, with the digits it has', () => {
  const sums = [
    { currency: 'EUR', amountMinor: 1_000n },
    { currency: 'JPY', amountMinor: 1_000n },
    { currency: 'USD', amountMinor: 0n },
  ]
  expect(formatSums(sums)).toBe(`${formatMoney(1_000n, 'EUR')}\n${formatMoney(1_000n, 'JPY')}`)
  expect(formatSums([])).toBe('–')
})

it('sells through what was sold of what ended', () => {
  expect(sellThrough(3n, 1n)).toBe(0.75)
  expect(sellThrough(0n, 2n)).toBe(0)
  expect(sellThrough(0n, 0n)).toBeUndefined()
})
