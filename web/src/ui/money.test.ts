import { describe, expect, it } from 'vitest'
import { formatMoney } from './money.ts'

describe('money', () => {
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
