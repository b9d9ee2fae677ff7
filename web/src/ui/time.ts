/** Times as people read them, in the zone of whoever reads. */

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Time left, coarse when far and exact when near: "3 d 4 h", "2 h 05 min", "4:09"; "0:00" when over. */
export function formatLeft(leftMs: number): string {
  const left = Math.max(0, leftMs)
  if (left >= DAY_MS)
    return `${Math.floor(left / DAY_MS)} d ${Math.floor((left % DAY_MS) / HOUR_MS)} h`
  const minutes = Math.floor((left % HOUR_MS) / MINUTE_MS)
  if (left >= HOUR_MS) return `${Math.floor(left / HOUR_MS)} h ${twoDigits(minutes)} min`
  return `${minutes}:${twoDigits(Math.floor((left % MINUTE_MS) / 1_000))}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

/** For a moment: date and time, short. */
export function formatMoment(ms: number): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(ms)
}

/** For a list of things that have just happened: the time, to the second. */
export function formatTime(ms: number): string {
  return new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' }).format(ms)
}

/** For a moment whose time is told beside it: the day. */
export function formatDay(ms: number): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(ms)
}
