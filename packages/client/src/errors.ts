/** What an error says beside its code and its words; and whether it says anything of what was asked at all. */
import { durationMs } from '@bufbuild/protobuf/wkt'
import {
  type ErrorInfo,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import { Code, ConnectError } from '@connectrpc/connect'

/** Why anything but a bid was rejected: `reason` is one of the domain "bidmesh", such as HAS_BIDS. */
export function errorInfoOf(error: unknown): ErrorInfo | undefined {
  return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]
}

/** How long to wait at least before the same is asked again; undefined when the server does not say. */
export function retryDelayMsOf(error: unknown): number | undefined {
  const delay = ConnectError.from(error).findDetails(RetryInfoSchema)[0]?.retryDelay
  return delay && durationMs(delay)
}

const refusals = new Set(['TOKEN_EXPIRED', 'TOKEN_INVALID'])

/** The caller's token is not believed, or not any more: another one may be. */
export function isTokenRefused(error: unknown): boolean {
  if (ConnectError.from(error).code !== Code.Unauthenticated) return false
  return refusals.has(errorInfoOf(error)?.reason ?? '')
}

const passing = new Set([Code.Unavailable, Code.Aborted, Code.Canceled, Code.DeadlineExceeded])
const perhapsOurs = new Set([Code.Unknown, Code.Internal])

/**
 * There was no answer, or one that says only that this is not the moment. Without the caller's own doing: look at
 * its signal and its deadline first.
 */
export function isUnanswered(error: ConnectError): boolean {
  if (passing.has(error.code)) return true
  // A message that is too large has no time to come back at.
  if (error.code === Code.ResourceExhausted) return retryDelayMsOf(error) !== undefined
  // With a cause it was made on this side, of a connection that broke: servers tell of none. Connect's words for a
  // stream of HTTP/2 that was reset have none either.
  const isOurs = error.cause !== undefined || error.rawMessage.startsWith('http/2 stream closed')
  return perhapsOurs.has(error.code) && isOurs
}

/** The error of a call: whatever this side says of a connection that broke, no server was there to answer. */
export function callError(reason: unknown): ConnectError {
  const error = ConnectError.from(reason)
  if (!perhapsOurs.has(error.code) || !isUnanswered(error)) return error
  return new ConnectError(error.rawMessage, Code.Unavailable, undefined, undefined, error.cause)
}

const lasting = new Set([
  Code.NotFound,
  Code.InvalidArgument,
  Code.FailedPrecondition,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.Unimplemented,
])

/** Another try cannot mend it. What Connect calls a protocol error is an answer that was cut off in its middle. */
export function isFinal(error: ConnectError): boolean {
  return lasting.has(error.code) && !error.rawMessage.startsWith('protocol error')
}
