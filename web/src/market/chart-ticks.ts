/** Where an axis of time is labelled. Pure. */

/** Those whose label is another than the one before: an axis that says a thing twice says nothing. */
export function distinctTicks(
  values: readonly number[],
  label: (value: number) => string,
): readonly number[] {
  return values.filter((value, at) => {
    const before = values[at - 1]
    return before === undefined || label(value) !== label(before)
  })
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** As exact as a span asks for: days, minutes, or seconds. */
export function timeLabel(ms: number, spanMs: number): string {
  if (spanMs > 2 * DAY_MS) return format({ day: 'numeric', month: 'short' }, ms)
  if (spanMs > DAY_MS) {
    return format({ weekday: 'short', hour: 'numeric', minute: '2-digit' }, ms)
  }
  return format({ timeStyle: spanMs > 10 * MINUTE_MS ? 'short' : 'medium' }, ms)
}

function format(style: Intl.DateTimeFormatOptions, ms: number): string {
  return new Intl.DateTimeFormat(undefined, style).format(ms)
}

/** Evenly from one end to the other, each with a label of its own. */
export function timeTicks(fromMs: number, toMs: number, count: number): readonly number[] {
  const spanMs = toMs - fromMs
  const even = Array.from({ length: count }, (_, at) => fromMs + (spanMs * at) / (count - 1))
  return distinctTicks(even, (ms) => timeLabel(ms, spanMs))
}
