/**
 * Which failures pass by themselves. One table, used by consumers (retry the batch or look for the poison
 * message), by lanes (retry bid by bid or give up) and by the RPC boundary (`UNAVAILABLE`/`ABORTED` or
 * `INTERNAL`).
 */

/** A failure that a later try may not meet; throw it where no driver error says so already. */
export class TransientError extends Error {
  override name = 'TransientError'
}

/** Somebody else held the row or won the conflict: the same request may be sent again at once. */
const contentionStates = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available (lock_timeout)
])

/** SQLSTATE classes that mean the server or the way to it is away: connection, resources, operator. */
const unavailableClasses = new Set(['08', '53', '57', '58'])

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

/** A row lock was not granted in time, or a transaction lost to another. */
export function isContention(error: unknown): boolean {
  const code = errorCode(error)
  return code !== undefined && contentionStates.has(code)
}

/** The database, broker or cache is away, or is refusing work for now. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof TransientError) return true
  const code = errorCode(error)
  if (code === undefined) return false
  return (
    connectionCodes.has(code) || (code.length === 5 && unavailableClasses.has(code.slice(0, 2)))
  )
}

/** Worth another try without any change by the caller. */
export function isTransient(error: unknown): boolean {
  return isContention(error) || isUnavailable(error)
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
