/**
 * Tables as comma-separated values (RFC 4180) for spreadsheets. Pure. What people typed may look like a
 * formula to a spreadsheet, which would run it: such text gets an apostrophe in front. Numbers stay numbers.
 */

export type CsvValue = string | number | bigint | undefined

export type CsvColumn<Row> = { name: string; value: (row: Row) => CsvValue }

/** What a spreadsheet takes for the start of a formula, also behind blanks. */
const formulaStart = /^\s*[=+\-@\t\r＝＋－＠]/u
const needsQuotes = /[",\r\n]|^\s|\s$/

/** One line of names, one a row, each ended by CRLF. */
export function toCsv<Row>(columns: readonly CsvColumn<Row>[], rows: readonly Row[]): string {
  const names = columns.map(({ name }) => cell(name))
  const lines = rows.map((row) => columns.map(({ value }) => cell(value(row))))
  return [names, ...lines].map((cells) => `${cells.join(',')}\r\n`).join('')
}

function cell(value: CsvValue): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') return String(value)
  const text = formulaStart.test(value) ? `'${value}` : value
  return needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** For a moment: ISO 8601 in UTC, which every spreadsheet and every zone reads the same. */
export function csvTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** A column of minor units: "amount_minor_eur". */
export function csvMoney(name: string, currency: string): string {
  return `${name}_minor_${currency.toLowerCase() || 'unknown'}`
}

/** A name a file may have everywhere. */
export function csvFileName(title: string, nowMs: number): string {
  const name = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  const words = name.replaceAll(/^-|-$/g, '') || 'table'
  return `bidmesh-${words}-${csvTime(nowMs).slice(0, 16).replaceAll(/[T:]/g, '-')}.csv`
}
