/** Numbers of statistics as people read them. Pure. */
import { decimal, formatMoney } from '../ui/money.ts'

/** Of sums whose currency is unknown. */
const HUNDREDTHS = 2

/** @param currency empty: of before statistics knew currencies; shown as hundredths and no more */
export function formatSum(amountMinor: bigint, currency: string): string {
  if (currency !== '') return formatMoney(amountMinor, currency)
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 } as const
  return new Intl.NumberFormat(undefined, digits).format(decimal(amountMinor, HUNDREDTHS))
}

export type Sum = { currency: string; amountMinor: bigint }

/** A line for each currency there is money in; a dash when there is none. */
export function formatSums(sums: readonly Sum[]): string {
  const lines = sums
    .filter(({ amountMinor }) => amountMinor > 0n)
    .map(({ currency, amountMinor }) => formatSum(amountMinor, currency))
  return lines.join('\n') || '–'
}

/** For headings and options. */
export function currencyLabel(currency: string): string {
  return currency || 'Unknown'
}

export function formatCount(count: bigint | number): string {
  return new Intl.NumberFormat().format(count)
}

/** Items sold among those that ended, 0 to 1; undefined when none ended. */
export function sellThrough(sold: bigint, unsold: bigint): number | undefined {
  return sold + unsold === 0n ? undefined : Number(sold) / Number(sold + unsold)
}
