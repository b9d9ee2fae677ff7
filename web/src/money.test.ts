import { describe, expect, it } from 'vitest'
import { editableMoney, formatMoney, parseMoney } from './money.ts'

describe('money', () => {
  it.each([
    ['12', 'EUR', 1_200n],
    ['12.5', 'EUR', 1_250n],
    [' 12,50 ', 'EUR', 1_250n],
    ['0.07', 'USD', 7n],
    ['1200', 'JPY', 1_200n],
    ['1.234', 'KWD', 1_234n],
    ['12.50', 'HUF', 1_250n],
    ['12.50', 'RSD', 1_250n],
    ['12.50', 'IDR', 1_250n],
    ['1.2345', 'CLF', 12_345n],
    ['9999999999999.99', 'EUR', 999_999_999_999_999n],
  ])('reads %j as %s', (text, currency, amount) => {
    expect(parseMoney(text, currency)).toBe(amount)
    expect(parseMoney(editableMoney(amount, currency), currency)).toBe(amount)
  })

  it.each([
    ['', 'EUR'],
    ['-1', 'EUR'],
    ['1.005', 'EUR'],
    ['1.5', 'JPY'],
    ['1e3', 'EUR'],
    ['12 €', 'EUR'],
  ])('refuses %j as %s', (text, currency) => {
    expect(parseMoney(text, currency)).toBeUndefined()
  })

  it('shows every unit, however large', () => {
    expect(formatMoney(999_999_999_999_999n, 'EUR').replaceAll(/\D/g, '')).toBe('999999999999999')
    expect(formatMoney(5n, 'JPY').replaceAll(/\D/g, '')).toBe('5')
    // What Intl shows without cents, by daily use; an amount in minor units must not look a hundred times larger.
    for (const currency of ['HUF', 'RSD', 'IDR', 'LBP', 'PKR', 'TWD', 'COP', 'IRR', 'ALL', 'AMD']) {
      expect(formatMoney(1_234n, currency).replaceAll(/\D/g, '')).toBe('1234')
      expect(formatMoney(1_234n, currency)).toMatch(/12.34/)
    }
    expect(formatMoney(5n, 'USD').replaceAll(/\D/g, '')).toBe('005')
  })
})
