/**
 * When to come again: a `google.rpc.RetryInfo` on every error that says so by its code, so that clients need not
 * guess. A `retry-after` that the error has already, in seconds, is the delay.
 */
import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { RetryInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import { Code, type ConnectError } from '@connectrpc/connect'
import { MessageTooLargeError } from './request-body.ts'

const delaysMs: ReadonlyMap<Code, number> = new Map([
  // What others hold is free within milliseconds.
  [Code.Aborted, 100],
  // A queue of thousands is worked off within a second; places for viewers come free about as fast.
  [Code.ResourceExhausted, 1_000],
  // Connections are looked after every second.
  [Code.Unavailable, 1_000],
])

/** The same error, with the detail where its code wants one. */
export function withRetryInfo(error: ConnectError): ConnectError {
  const delayMs = delaysMs.get(error.code)
  // It would be as large the next time.
  if (error.cause instanceof MessageTooLargeError) return error
  if (delayMs === undefined || error.findDetails(RetryInfoSchema).length > 0) return error
  const afterMs = Number(error.metadata.get('retry-after') ?? 0) * 1_000
  const value = create(RetryInfoSchema, { retryDelay: durationFromMs(afterMs || delayMs) })
  error.details.push({ desc: RetryInfoSchema, value })
  return error
}
