/** Numbers of statistics as people read them. Pure. */
import { decimal, formatMoney } from './money.ts'

/** Sums over several currencies have two digits behind the point. */
const HUNDREDTHS = 2

/**
 * A sum of minor units. Statistics add them up whatever the currency: with one known for all of them it is
 * money, without one it is hundredths and no more.
 */
export function formatSum(amountMinor: bigint, currency?: string): string {
  if (currency !== undefined) return formatMoney(amountMinor, currency)
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 } as const
  return new Intl.NumberFormat(undefined, digits).format(decimal(amountMinor, HUNDREDTHS))
}

export function formatCount(count: bigint | number): string {
  return new Intl.NumberFormat().format(count)
}

/** The currency that all of them have, or undefined when there are none or several. */
export function oneCurrency(items: readonly { currency: string }[]): string | undefined {
  const currencies = new Set(items.map(({ currency }) => currency))
  const [currency] = currencies
  return currencies.size === 1 ? currency : undefined
}
