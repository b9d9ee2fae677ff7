/**
 * What is said of JSON requests beyond what the library checks: bytes that are not UTF-8 are refused, not
 * replaced (two people would become one id), and so are times that no calendar has (`Date.parse` makes 2
 * March of 30 February) and durations with something behind them.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { holdsTimes } from './request-validator.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Text of a request's bytes, for the library to parse: its `jsonOptions.textDecoder`. Throws
 * INVALID_ARGUMENT. Requests without a time, a bid among them, pay for nothing but the decoding.
 */
export function strictTextDecoder(schema: DescMessage) {
  const withTimes = holdsTimes(schema)
  return {
    decode(bytes?: Uint8Array): string {
      const text = decodeUtf8(bytes)
      if (withTimes) checkTimes(schema, parsed(text), '')
      return text
    },
  }
}

/** Throws INVALID_ARGUMENT where a decoder would put U+FFFD. */
function decodeUtf8(bytes: Uint8Array | undefined): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw refused('the body is not UTF-8')
  }
}

/** Undefined for what is no JSON: the library says so in its words. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function checkTimes(schema: DescMessage, value: unknown, path: string): void {
  if (schema.typeName === 'google.protobuf.Timestamp') return checkTimestamp(value, path)
  if (schema.typeName === 'google.protobuf.Duration') return checkDuration(value, path)
  if (typeof value !== 'object' || value === null) return
  for (const field of schema.fields) {
    if (!field.message || !holdsTimes(field.message)) continue
    for (const name of new Set([field.name, field.jsonName])) {
      checkField(
        field,
        field.message,
        Reflect.get(value, name),
        `${path}${path && '.'}${field.name}`,
      )
    }
  }
}

function checkField(field: DescField, schema: DescMessage, value: unknown, path: string): void {
  if (value === undefined || value === null) return
  if (field.fieldKind === 'message') checkTimes(schema, value, path)
  if (field.fieldKind !== 'list' || !Array.isArray(value)) return
  for (const [index, item] of value.entries()) checkTimes(schema, item, `${path}[${index}]`)
}

const timestamp =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/** RFC 3339, section 5.6, with capitals. A leap second is refused: no clock here has one. */
function checkTimestamp(value: unknown, path: string): void {
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] =
    (typeof value === 'string' && timestamp.exec(value)) || []
  const exists =
    Number(year) >= 1 &&
    Number(day) >= 1 &&
    Number(day) <= daysOf(Number(year), Number(month)) &&
    Number(hour) <= 23 &&
    Number(minute) <= 59 &&
    Number(second) <= 59
  if (exists) return
  throw refused(`${path}: must be a time that exists, in RFC 3339, such as 2026-11-25T18:30:00Z`)
}

function daysOf(year: number, month: number): number {
  if (month < 1 || month > 12) return 0
  return new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
}

function checkDuration(value: unknown, path: string): void {
  if (typeof value === 'string' && /^-?\d{1,12}(?:\.\d{1,9})?s$/.test(value)) return
  throw refused(`${path}: must be seconds, such as "30s" or "1.5s"`)
}

function refused(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument)
}
