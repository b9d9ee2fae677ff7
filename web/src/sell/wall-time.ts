/** Moments as a browser's date and time field has them: "2026-11-21T18:30", in the zone of whoever reads. */

const MINUTE_MS = 60_000

/** For a field; to the minute, later rather than earlier. */
export function toField(ms: number): string {
  const date = new Date(Math.ceil(ms / MINUTE_MS) * MINUTE_MS)
  const day = [pad(date.getFullYear(), 4), pad(date.getMonth() + 1), pad(date.getDate())].join('-')
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}`
}

/** ms since 1970, or undefined when the field is empty or holds no moment. */
export function fromField(text: string): number | undefined {
  // Without a zone the language takes it for the local one, as the field means it.
  const ms = /^\d{4,}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, '0')
}
