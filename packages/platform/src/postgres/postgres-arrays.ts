/**
 * How arrays are sent to Postgres and read. postgres.js can look the array types up by itself (`fetch_types`), with
 * a query of its own on each new connection, whose failure nobody can catch: a connection cut in that
 * moment, as in any failover, ended the process by an unhandled rejection or left its query without an
 * answer for ever. Built-in types have fixed OIDs (pg_type.dat): nothing needs to be looked up.
 */
import { parse } from 'postgres-array'

const arrayOids = {
  bytea: 1001,
  smallint: 1005,
  integer: 1007,
  text: 1009,
  bigint: 1016,
  timestamptz: 1185,
  numeric: 1231,
  uuid: 2951,
} as const

type ArrayElement = string | number | null

/** A custom type of postgres.js. Whatever their type, elements are read as texts. */
export const arrayType = {
  to: arrayOids.text,
  from: Object.values(arrayOids),
  serialize: (value: string | readonly ArrayElement[]): string =>
    typeof value === 'string' ? value : arrayLiteral(value),
  parse: (text: string): string[] => parse(text),
}

/** `{"a","b",NULL}`: one dimension. */
export function arrayLiteral(elements: readonly ArrayElement[]): string {
  return `{${elements.map(elementLiteral).join(',')}}`
}

/**
 * A column of rows as an array, of values that need no quotes: ids, numbers, names of ours. Made in one go, because a
 * batch has a dozen columns of up to 512 rows, and an array of texts for each is most of what it costs to send one.
 */
export function bareArray<Row>(
  rows: readonly Row[],
  valueOf: (row: Row) => string | number | bigint | null,
): string {
  let text = ''
  for (const row of rows) text += `,${valueOf(row) ?? 'NULL'}`
  return `{${text.slice(1)}}`
}

/** The same of bytes, for `bytea[]`: in hexadecimal. */
export function bytesArray<Row>(rows: readonly Row[], bytesOf: (row: Row) => Uint8Array): string {
  return bareArray(rows, (row) => {
    const { buffer, byteOffset, byteLength } = bytesOf(row)
    return `"\\\\x${Buffer.from(buffer, byteOffset, byteLength).toString('hex')}"`
  })
}

const special = /["\\]/

/** Nearly all are ids, numbers and times: to look first takes 0.02 µs, to replace what is not there 0.27. */
function elementLiteral(element: ArrayElement): string {
  if (element === null) return 'NULL'
  const text = String(element)
  return special.test(text) ? `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"` : `"${text}"`
}
