/** Money as people write it, from and to minor units of its currency. */

/** Offered to sellers and to those who look for something, in this order. */
export const currencies = [
  'EUR',
  'USD',
  'GBP',
  'CHF',
  'SEK',
  'NOK',
  'DKK',
  'PLN',
  'CZK',
  'CAD',
  'AUD',
  'JPY',
  'CNY',
  'INR',
  'BRL',
] as const

/**
 * Currencies whose minor unit is not a hundredth: ISO 4217 list one, as of January 2026. Not `Intl`, whose digits
 * are those of daily use: it shows no fillér and no sen, and would read 100 minor units of HUF as 100 forints.
 */
const digitsOf: Readonly<Record<string, number>> = {
  ...sameDigits(0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'),
  ...sameDigits(3, 'BHD IQD JOD KWD LYD OMR TND'),
  ...sameDigits(4, 'CLF UYW'),
}

function sameDigits(digits: number, codes: string): Record<string, number> {
  return Object.fromEntries(codes.split(' ').map((code) => [code, digits]))
}

/** How many digits of an amount are behind the point: 2 for EUR and HUF, 0 for JPY, 3 for KWD. */
export function fractionDigits(currency: string): number {
  return digitsOf[currency] ?? 2
}

/** "1234.56" of minor units, which `Intl` formats without rounding. */
export function decimal(amountMinor: bigint, digits: number): Intl.StringNumericLiteral {
  const text = amountMinor.toString().padStart(digits + 1, '0')
  const whole = text.slice(0, text.length - digits)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- digits by construction
  return (digits === 0 ? whole : `${whole}.${text.slice(-digits)}`) as Intl.StringNumericLiteral
}

/**
 * For reading, e.g. "€1,234.50".
 *
 * @param locale of the reader; the browser's own when there is none
 */
export function formatMoney(amountMinor: bigint, currency: string, locale?: string): string {
  const digits = fractionDigits(currency)
  const format = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
  return format.format(decimal(amountMinor, digits))
}
