/** Money as people write it, from and to minor units of its currency. */

/** How many digits of an amount are behind the point: 2 for EUR, 0 for JPY, 3 for KWD. */
export function fractionDigits(currency: string): number {
  return (
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions()
      .maximumFractionDigits ?? 2
  )
}

/** "1234.56" of minor units, which `Intl` formats without rounding. */
function decimal(amountMinor: bigint, digits: number): Intl.StringNumericLiteral {
  const text = amountMinor.toString().padStart(digits + 1, '0')
  const whole = text.slice(0, text.length - digits)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- digits by construction
  return (digits === 0 ? whole : `${whole}.${text.slice(-digits)}`) as Intl.StringNumericLiteral
}

/** For reading, e.g. "€1,234.50", in the reader's language. */
export function formatMoney(amountMinor: bigint, currency: string): string {
  const digits = fractionDigits(currency)
  const format = new Intl.NumberFormat(undefined, { style: 'currency', currency })
  return format.format(decimal(amountMinor, digits))
}

/** For a field, e.g. "1234.50". */
export function editableMoney(amountMinor: bigint, currency: string): string {
  return decimal(amountMinor, fractionDigits(currency))
}

/** What was typed into a field, in minor units; undefined for what is no amount of this currency. */
export function parseMoney(text: string, currency: string): bigint | undefined {
  const digits = fractionDigits(currency)
  const [, whole, fraction = ''] = /^\s*(\d{1,15})(?:[.,](\d*))?\s*$/.exec(text) ?? []
  if (whole === undefined || fraction.length > digits) return undefined
  return BigInt(whole + fraction.padEnd(digits, '0'))
}
