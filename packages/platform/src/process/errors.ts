/**
 * What kind of failure an error is. One table, shared by all sides: consumers (put the message aside or
 * wait), lanes (try bid by bid or give up), connections (go on or be replaced) and the RPC boundary
 * (`ABORTED`, `UNAVAILABLE` or `INTERNAL`).
 *
 * - `contention`: somebody else held the row or won the conflict; the same request may come again at once
 * - `unavailable`: the database, the broker, the cache, or what must be there in it, is unavailable or refuses
 *   work. Not about what was asked: it passes by itself or is mended from outside, so whoever can waits
 * - `data`: the values asked for can never be stored. The only kind that is about the message itself
 * - undefined: the error says nothing. At the RPC boundary that is a fault of ours
 */
export type FailureKind = 'contention' | 'unavailable' | 'data'

/** A failure that a later try may not meet; throw it where no driver error says so already. */
export class TransientError extends Error {
  override name = 'TransientError'
}

/** The server takes reads only: a standby, or told so (`default_transaction_read_only`). */
export class ReadOnlyServerError extends TransientError {
  override name = 'ReadOnlyServerError'
}

/** Somebody else held what was needed for as long as it may be waited for. Nothing was done. */
export class ContentionError extends Error {
  override name = 'ContentionError'
}

/** A queue of ours is full. Nothing was done; after a pause there may be room. */
export class OverloadedError extends Error {
  override name = 'OverloadedError'
}

/** By the class of an SQLSTATE, its first two characters; what is not here is undefined. */
const kindOfClass: Readonly<Record<string, FailureKind>> = {
  '08': 'unavailable', // connection exception
  '0A': 'unavailable', // feature not supported: a plan made before a table was changed
  '22': 'data', // data exception
  '23': 'data', // integrity constraint violation
  '25': 'unavailable', // invalid transaction state: a server that only reads
  '28': 'unavailable', // a password or the right to connect was taken away
  '3D': 'unavailable', // no such database
  '3F': 'unavailable', // no such schema
  '40': 'contention', // transaction rollback: serialization failure, deadlock
  '42': 'unavailable', // a table, a column or the right to it is missing
  '53': 'unavailable', // insufficient resources: disk full, too many connections
  '54': 'unavailable', // program limit exceeded
  '55': 'unavailable', // object not in the state that is needed
  '57': 'unavailable', // operator intervention: shutdown, start-up, a cancelled statement
  '58': 'unavailable', // system error: input and output
  F0: 'unavailable', // configuration file error
  XX: 'unavailable', // internal error, corrupted data or index
}

/** States that are unlike their class. */
const kindOfState: Readonly<Record<string, FailureKind | undefined>> = {
  '42601': undefined, // syntax_error: nothing outside of our code mends it
  '55P03': 'contention', // lock_not_available (lock_timeout)
}

/** Codes of postgres.js, ioredis and Node's sockets for a peer that is gone. */
const connectionCodes = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT', // a unix socket whose server is not there
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
])

/** By Postgres's classes, because Node has codes of five letters too (`EBUSY`). */
const sqlStatePattern = /^(?:\d[\dA-Z]|F0|HV|P0|XX)[\dA-Z]{3}$/

/** The `code` of a driver or system error, if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The name of the constraint a statement broke, as Postgres gives it. */
export function constraintOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('constraint_name' in error)) return undefined
  return typeof error.constraint_name === 'string' ? error.constraint_name : undefined
}

/** Of anything thrown. */
export function failureKind(error: unknown): FailureKind | undefined {
  if (error instanceof TransientError) return 'unavailable'
  if (error instanceof ContentionError) return 'contention'
  const code = errorCode(error)
  if (code === undefined) return undefined
  if (connectionCodes.has(code)) return 'unavailable'
  if (!sqlStatePattern.test(code)) return undefined
  return code in kindOfState ? kindOfState[code] : kindOfClass[code.slice(0, 2)]
}

/** A row lock was not granted in time, or a transaction lost to another. */
export function isContention(error: unknown): boolean {
  return failureKind(error) === 'contention'
}

/** The database, broker or cache, or what must be in it, is unavailable, or is refusing work for now. */
export function isUnavailable(error: unknown): boolean {
  return failureKind(error) === 'unavailable'
}

/** Worth another try without any change by the caller. */
export function isTransient(error: unknown): boolean {
  return isContention(error) || isUnavailable(error)
}

/**
 * A failure to apply a message that waiting cannot mend. From a database that is only what says that the values
 * themselves cannot be stored; a table that is missing or a server that only reads says nothing about the
 * message, nor does any state this table does not know. An error without a state is from reading the message
 * (undecodable, out of range, a `TypeError` over foreign bytes): code that talks to a server throws a
 * {@link TransientError} or something with a code.
 */
export function isAboutMessage(error: unknown): boolean {
  const kind = failureKind(error)
  if (kind !== undefined) return kind === 'data'
  return !sqlStatePattern.test(errorCode(error) ?? '')
}

/** The server a statement was sent to takes reads only; another connection may lead to one that writes. */
export function isReadOnlyServer(error: unknown): boolean {
  return error instanceof ReadOnlyServerError || errorCode(error) === '25006'
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
