/**
 * Amounts as people type them: as the page prints them in their language, sign, spaces and separators of
 * thousands included, or plain. What could be meant in two ways that are a thousand times apart is not
 * guessed. Pure.
 */
import { decimal, fractionDigits } from './money.ts'

/** `ambiguous`: one separator and three digits behind it, which neither language nor currency explain. */
export type ReadMoney =
  | { kind: 'amount'; minor: bigint }
  | { kind: 'ambiguous' | 'tooFine' | 'none' }

/** Below the largest amount by far, and no work for who pastes a novel. */
const LENGTH_MAX = 40
const DIGITS_MAX = 15

/** What stands between thousands in some language and is a decimal separator in none. */
const spaces = /[\s'’_\u066C]/g
const marks = /[\u061C\u200E\u200F]/g
const arabicPoint = '\u066B'

/** @param locale of the reader; the browser's own when there is none */
export function readMoney(text: string, currency: string, locale?: string): ReadMoney {
  if (text.length > LENGTH_MAX) return { kind: 'none' }
  const signs = signsOf(currency, locale)
  const plain = plainDigits(text.replaceAll(marks, ''), locale).trim()
  const number = withoutSign(plain, signs).trim().replaceAll(arabicPoint, '.')
  if (!/^\d(?:[\d.,\s'’_\u066C]*[\d.,])?$/.test(number)) return { kind: 'none' }
  return readNumber(number, fractionDigits(currency), signs)
}

function readNumber(number: string, digits: number, { groups, decimal: point }: Signs): ReadMoney {
  const last = Math.max(number.lastIndexOf('.'), number.lastIndexOf(','))
  const used = number[last] ?? ''
  const whole = number.slice(0, last)
  const fraction = number.slice(last + 1)
  const isOnce = used !== '' && !whole.includes(used)
  if (used === '' || !isOnce) return isGrouped(number) ? amountOf(number, '', digits) : none
  // Three digits behind a lone separator may be thousands or a fraction.
  const isOpen = /^[1-9]\d{0,2}$/.test(whole) && /^\d{3}$/.test(fraction)
  if (isOpen && groups.has(used)) return amountOf(whole + fraction, '', digits)
  if (isOpen && !(used === point && digits >= 3)) return { kind: 'ambiguous' }
  return /^\d*$/.test(fraction) && isGrouped(whole) ? amountOf(whole, fraction, digits) : none
}

const none = { kind: 'none' } as const

function amountOf(whole: string, fraction: string, digits: number): ReadMoney {
  if (fraction.length > digits) return { kind: 'tooFine' }
  const written = whole.replaceAll(/\D/g, '')
  if (written.length > DIGITS_MAX) return none
  return { kind: 'amount', minor: BigInt(written + fraction.padEnd(digits, '0')) }
}

/** Plain digits, or groups of three (of two before the last in India) with one separator throughout. */
function isGrouped(whole: string): boolean {
  const same = whole.replaceAll(spaces, ' ')
  return /^\d+$/.test(same) || /^\d{1,3}([., ])(?:\d{2,3}\1)*\d{3}$/.test(same)
}

type Signs = { groups: ReadonlySet<string>; decimal: string; names: readonly string[] }

/** How amounts of a currency are printed for these readers. */
function signsOf(currency: string, locale: string | undefined): Signs {
  const parts = (['symbol', 'narrowSymbol', 'code'] as const).flatMap((currencyDisplay) => {
    const style = { style: 'currency', currency, currencyDisplay } as const
    const format = new Intl.NumberFormat(locale, { ...style, minimumFractionDigits: 2 })
    return format.formatToParts(1_234_567.5)
  })
  const ofType = (type: string) => parts.flatMap((part) => (part.type === type ? [part.value] : []))
  return {
    groups: new Set(ofType('group')),
    decimal: ofType('decimal').includes(',') ? ',' : '.',
    // The longest first: "US$" has "$" in it.
    names: [...new Set(ofType('currency'))].toSorted((a, b) => b.length - a.length),
  }
}

function withoutSign(text: string, { names }: Signs): string {
  const lower = text.toLowerCase()
  const name = names.map((one) => one.toLowerCase()).find((one) => isAtAnEnd(lower, one))
  if (name === undefined) return text
  return lower.startsWith(name) ? text.slice(name.length) : text.slice(0, -name.length)
}

function isAtAnEnd(text: string, name: string): boolean {
  return text.startsWith(name) || text.endsWith(name)
}

/** With the digits of the reader's language written 0 to 9. */
function plainDigits(text: string, locale: string | undefined): string {
  const format = new Intl.NumberFormat(locale, { useGrouping: false })
  const own = Array.from({ length: 10 }, (_, digit) => format.format(digit))
  return own.reduce((plain, digit, value) => plain.replaceAll(digit, String(value)), text)
}

/** For a field, as the reader's language writes it but without separators of thousands: "1234,50". */
export function moneyText(amountMinor: bigint, currency: string, locale?: string): string {
  const digits = fractionDigits(currency)
  const style = { minimumFractionDigits: digits, maximumFractionDigits: digits } as const
  const format = new Intl.NumberFormat(locale, { ...style, useGrouping: false })
  return format.format(decimal(amountMinor, digits))
}

/** Why nothing could be read, and how to write it instead. */
export function readingProblem(
  text: string,
  kind: Exclude<ReadMoney['kind'], 'amount'>,
  currency: string,
  example: bigint,
): string {
  if (kind === 'ambiguous') {
    const thousands = moneyText(BigInt(text.replaceAll(/\D/g, '')) * unit(currency), currency)
    return `“${text.trim()}” can be read in two ways. If you mean thousands, enter ${thousands}.`
  }
  if (kind === 'tooFine') {
    const digits = fractionDigits(currency)
    return digits === 0
      ? `${currency} has no digits after the point.`
      : `${currency} has at most ${digits} digits after the point.`
  }
  return `Enter an amount, such as ${moneyText(example, currency)}.`
}

function unit(currency: string): bigint {
  return 10n ** BigInt(fractionDigits(currency))
}
