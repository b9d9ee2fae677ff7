import { expect, it } from 'vitest'
import { formatMoney } from './money.ts'
import { formatCount, formatSum, oneCurrency } from './sums.ts'

it('shows a sum as money only when its currency is known', () => {
  expect(formatSum(123_450n, 'EUR')).toBe(formatMoney(123_450n, 'EUR'))
  expect(formatSum(123_450n)).toBe(
    new Intl.NumberFormat(undefined, { minimumFractionDigits: 2 }).format(1_234.5),
  )
  expect(formatSum(9_223_372_036_854_775_807n).replaceAll(/\D/g, '')).toBe('9223372036854775807')
  expect(formatSum(5n)).toMatch(/^0\D05$/)
})

it('groups counts', () => {
  expect(formatCount(1_234_567n)).toBe(new Intl.NumberFormat().format(1_234_567))
})

it('knows one currency from several and from none', () => {
  expect(oneCurrency([{ currency: 'EUR' }, { currency: 'EUR' }])).toBe('EUR')
  expect(oneCurrency([{ currency: 'EUR' }, { currency: 'JPY' }])).toBeUndefined()
  expect(oneCurrency([])).toBeUndefined()
})
