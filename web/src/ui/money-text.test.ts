import { describe, expect, it } from 'vitest'
import { formatMoney } from './money.ts'
import { moneyText, readingProblem, readMoney } from './money-text.ts'

function read(text: string, currency: string, locale: string): bigint | string {
  const result = readMoney(text, currency, locale)
  return result.kind === 'amount' ? result.minor : result.kind
}

describe('an amount as it is typed', () => {
  it.each<[locale: string, currency: string, text: string, read: bigint | string]>([
    ['en', 'EUR', '12', 1_200n],
    ['en', 'EUR', '12.5', 1_250n],
    ['en', 'EUR', ' 12.50 ', 1_250n],
    ['en', 'EUR', '12.', 1_200n],
    ['en', 'EUR', '1,000.50', 100_050n],
    ['en', 'EUR', '1,000', 100_000n],
    ['en', 'EUR', '€1,000.50', 100_050n],
    ['en', 'EUR', '1,000.50 EUR', 100_050n],
    ['en', 'USD', '$0.07', 7n],
    ['en-GB', 'USD', 'US$1,234.56', 123_456n],
    ['en', 'EUR', '1 000.50', 100_050n],
    ['en', 'EUR', '1,000,000', 100_000_000n],
    // Only a fraction can have two digits: the other language's comma is no risk.
    ['en', 'EUR', '12,50', 1_250n],
    ['en', 'EUR', '1.234,56', 123_456n],
    ['en', 'EUR', '9999999999999.99', 999_999_999_999_999n],
    // A thousand times apart: not guessed.
    ['en', 'EUR', '1.000', 'ambiguous'],
    ['en', 'EUR', '12.345', 'ambiguous'],
    ['de', 'EUR', '1.234,56', 123_456n],
    ['de', 'EUR', '1.234,56 €', 123_456n],
    ['de', 'EUR', '1.000', 100_000n],
    ['de', 'EUR', '12,5', 1_250n],
    ['de', 'EUR', '12.50', 1_250n],
    ['de', 'EUR', '1,000.50', 100_050n],
    ['de', 'EUR', '1,000', 'ambiguous'],
    ['fr', 'EUR', '1 234,56 €', 123_456n],
    ['fr', 'EUR', '1\u202F234,56\u00A0€', 123_456n],
    ['fr', 'EUR', '1.000', 'ambiguous'],
    ['fr', 'EUR', '1,000', 'ambiguous'],
    ['fr', 'EUR', '12.5', 1_250n],
    ['de-CH', 'CHF', 'CHF 1’234.50', 123_450n],
    ['da', 'DKK', '1.234,56 kr.', 123_456n],
    ['en-IN', 'INR', '₹12,34,567.00', 123_456_700n],
    ['en-IN', 'INR', '12,34,567', 123_456_700n],
    ['ar-EG', 'EGP', '١٬٢٣٤٫٥٦', 123_456n],
    ['en', 'JPY', '¥1,200', 1_200n],
    ['en', 'JPY', '1200', 1_200n],
    ['en', 'JPY', '1.200', 'ambiguous'],
    ['de', 'JPY', '1.200', 1_200n],
    ['en', 'JPY', '1.5', 'tooFine'],
    ['en', 'BHD', '1.234', 1_234n],
    ['en', 'BHD', '1,234.567', 1_234_567n],
    ['en', 'BHD', '1,234', 1_234_000n],
    ['en', 'BHD', '0.500', 500n],
    ['de', 'BHD', '1,234', 1_234n],
    ['de', 'BHD', '1.234', 1_234_000n],
    ['fr', 'BHD', '1.234', 'ambiguous'],
    ['hu', 'HUF', '1 234,50 Ft', 123_450n],
    ['en', 'CLF', '1.2345', 12_345n],
    ['en', 'EUR', '0.005', 'tooFine'],
    ['en', 'EUR', '1234.567', 'tooFine'],
    ['en', 'EUR', '1,00,50', 'none'],
    ['en', 'EUR', '12 50', 'none'],
    ['en', 'EUR', '1,000.000.50', 'none'],
    ['en', 'EUR', '', 'none'],
    ['en', 'EUR', '-1', 'none'],
    ['en', 'EUR', '1e3', 'none'],
    ['en', 'EUR', 'ten', 'none'],
    ['en', 'EUR', '$12', 'none'],
    ['en', 'EUR', '9'.repeat(16), 'none'],
    ['en', 'EUR', '1'.repeat(1_000), 'none'],
  ])('in %s, %s: %j', (locale, currency, text, amount) => {
    expect(read(text, currency, locale)).toBe(amount)
  })

  const locales = ['en', 'en-GB', 'en-IN', 'de', 'de-AT', 'de-CH', 'fr', 'es', 'pl', 'pt-PT', 'sv']
  it.each([...locales, 'ar-EG', 'hi', 'ja', 'da', 'tr'])(
    'can be what the page prints, in %s',
    (locale) => {
      for (const currency of [
        'EUR',
        'USD',
        'CHF',
        'INR',
        'JPY',
        'KWD',
        'BHD',
        'DKK',
        'BRL',
        'HUF',
        'IDR',
        'CLF',
      ]) {
        for (const minor of [
          1n,
          12n,
          1_234n,
          100_000n,
          123_456n,
          123_456_789n,
          999_999_999_999_999n,
        ]) {
          expect(read(formatMoney(minor, currency, locale), currency, locale)).toBe(minor)
          expect(read(moneyText(minor, currency, locale), currency, locale)).toBe(minor)
        }
      }
    },
  )

  it('is explained when it cannot be read', () => {
    expect(readingProblem('1.000', 'ambiguous', 'EUR', 0n)).toContain(moneyText(100_000n, 'EUR'))
    expect(readingProblem('1.5', 'tooFine', 'JPY', 0n)).toBe('JPY has no digits after the point.')
    expect(readingProblem('ten', 'none', 'EUR', 1_250n)).toContain(moneyText(1_250n, 'EUR'))
  })
})
