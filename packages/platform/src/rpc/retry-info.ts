/**
 * When to come again: a `google.rpc.RetryInfo` on every error that says so by its code, so that clients need not
 * guess. An error with details of its own brings it along.
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

/** The detail for errors of this code; none where coming again does not help. */
export function retryInfo(code: Code, afterMs?: number) {
  const delayMs = delaysMs.get(code)
  if (delayMs === undefined) return []
  const value = create(RetryInfoSchema, { retryDelay: durationFromMs(afterMs ?? delayMs) })
  return [{ desc: RetryInfoSchema, value }]
}

/** The same error, with the detail where it has none at all: a `retry-after` in seconds is the delay. */
export function withRetryInfo(error: ConnectError): ConnectError {
  const { code, details, metadata, cause } = error
  // What was too large would be as large the next time.
  if (details.length > 0 || cause instanceof MessageTooLargeError) return error
  const afterMs = Number(metadata.get('retry-after') ?? 0) * 1_000
  details.push(...retryInfo(code, afterMs || undefined))
  return error
}
