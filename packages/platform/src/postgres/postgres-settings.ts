/**
 * What the values we send and read rely on. A database, a role or a server may have any of these set otherwise,
 * so every connection says them itself when it starts; a start makes sure that they were taken
 * ({@link expectSettings}), because a pooler may leave them out; and the two kinds of values that would be misread
 * without a sign are read strictly. Nothing here is about taste: each line has its reason.
 */
import { StartError } from '../process/start-error.ts'
import { TransientError } from '../process/errors.ts'

const reliedOn = {
  // Events are bytes; the form `escape` would be published as garbage.
  bytea_output: 'hex',
  // Other styles put day and month at other places, or name them.
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  // Off, a NULL within an array is the text 'NULL': all bids without a key would share one.
  array_nulls: 'on',
  // Waits are computed from float8; 0 and below round them.
  extra_float_digits: '1',
  // A statement after a lock must see what was committed while it waited.
  default_transaction_isolation: 'read committed',
} as const

/**
 * The session of a client that has vanished without a goodbye ends after 5 s, and with it the locks it holds. The
 * other side of it is in `postgres-socket.ts`.
 */
const vanishedClients = {
  tcp_keepalives_idle: '2',
  tcp_keepalives_interval: '1',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '5000',
} as const

/** Start-up parameters of every connection. The driver leaves out numbers that are 0, and a role may have others. */
export function startupParameters(
  applicationName: string,
  limits: { lockTimeoutMs: number; statementTimeoutMs: number },
  further: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    application_name: applicationName,
    ...reliedOn,
    ...vanishedClients,
    lock_timeout: `${limits.lockTimeoutMs}ms`,
    statement_timeout: `${limits.statementTimeoutMs}ms`,
    ...further,
  }
}

export const settingNames: readonly string[] = Object.keys(reliedOn)
/** What some connections say besides: limits, plans, and that they only read. */
const furtherNames = [
  'lock_timeout',
  'statement_timeout',
  'plan_cache_mode',
  'enable_seqscan',
  'default_transaction_read_only',
]

/** Throws a StartError when the server has other values than ours. */
export function expectSettings(rows: readonly { name: string; value: string }[]): void {
  const wrong = rows.filter(({ name, value }) => !isReliedOn(name, value))
  if (wrong.length === 0) return
  const found = wrong.map(({ name, value }) => `${name} = '${value}'`).join(', ')
  const needed = wrong.map(({ name }) => `${name} = '${valueOf(name)}'`).join(', ')
  throw new StartError(
    `the database's connections have ${found}, but Bidmesh needs ${needed} and says so when it connects: ` +
      'a connection pooler before Postgres seems to leave that out. Let it pass these parameters on, or give ' +
      'the role these values (ALTER ROLE … SET …)',
  )
}

function valueOf(name: string): string {
  return new Map<string, string>(Object.entries(reliedOn)).get(name) ?? ''
}

function isReliedOn(name: string, value: string): boolean {
  const ours = valueOf(name)
  // The order of day and month is for reading what is ambiguous; we send no such thing.
  if (name === 'DateStyle') return value.startsWith('ISO')
  // From 1 on they are exact.
  if (name === 'extra_float_digits') return Number(value) >= 1
  return value.toLowerCase() === ours.toLowerCase()
}

/** The error for a pooler that refuses a start-up parameter; undefined when `message` is about something else. */
export function refusedParameter(message: string): StartError | undefined {
  const found = /unsupported startup parameter(?: in options)?:? *"?(\w+)/i.exec(message)
  if (!found) return undefined
  const names = [...settingNames, ...furtherNames, ...Object.keys(vanishedClients)].join(', ')
  return new StartError(
    `the server (a connection pooler?) refuses the start-up parameter ${found[1]}: "${message}". ` +
      'Connect to Postgres itself, or let the pooler ignore what Bidmesh says when it connects and set the same ' +
      `for the role by ALTER ROLE … SET … (PgBouncer: ignore_startup_parameters = ${names})`,
  )
}

/** `bytea` in its hexadecimal form; anything else is not guessed at. */
export const bytesType = {
  to: 17,
  from: [17],
  serialize: (bytes: Uint8Array) => String.raw`\x` + hexOf(bytes),
  parse(text: string): Buffer {
    if (!text.startsWith(String.raw`\x`)) throw misread('bytes', 'bytea_output', text)
    return Buffer.from(text.slice(2), 'hex')
  },
}

/** `timestamptz` and `date` in their ISO form. */
export const timeType = {
  to: 1184,
  from: [1082, 1114, 1184],
  serialize: (time: Date | string | number) => new Date(time).toISOString(),
  parse(text: string): Date {
    if (!/^\d{4,}-\d\d-\d\d/.test(text)) throw misread('times', 'DateStyle', text)
    return new Date(text)
  },
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

function misread(what: string, setting: string, text: string): TransientError {
  return new TransientError(
    `the database writes ${what} by another ${setting} than was asked for: ${text.slice(0, 20)}`,
  )
}
