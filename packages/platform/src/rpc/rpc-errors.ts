/**
 * What a caller gets to see of a failure. Errors that handlers raise on purpose pass as they are; all
 * others are translated in one table, and none carries text of Postgres, the broker or a stack.
 * An error nobody expected is logged once, here, with its cause, and answered with the trace id to find
 * that line by.
 */
import { isSpanContextValid, trace } from '@opentelemetry/api'
import { Code, ConnectError } from '@connectrpc/connect'
import {
  errorCode,
  isContention,
  isUnavailable,
  messageOf,
  OverloadedError,
} from '../process/errors.ts'
import type { Log } from '../process/log.ts'
import { MessageTooLargeError } from './request-body.ts'
import { withRetryInfo } from './retry-info.ts'

export type CallContext = {
  /** `package.Service/Method`. */
  procedure: string
  /** The signal of the call: aborted by its deadline, its caller's leaving, or shutdown. */
  signal: AbortSignal
  log: Log
}

/** Turns anything thrown by a handler into what its caller is told, and when to come again. */
export function toConnectError(error: unknown, call: CallContext): ConnectError {
  return withRetryInfo(translated(error, call))
}

function translated(error: unknown, call: CallContext): ConnectError {
  if (error instanceof ConnectError) {
    if (isUnavailable(error.cause)) noteUnavailable(error.cause, call)
    return error
  }
  if (call.signal.aborted && isAbort(error)) return abortReason(call.signal)
  if (isContention(error)) {
    return new ConnectError(
      'others changed the same data at this moment: send it again',
      Code.Aborted,
    )
  }
  if (error instanceof MessageTooLargeError) {
    return new ConnectError(error.message, Code.ResourceExhausted, undefined, undefined, error)
  }
  if (error instanceof OverloadedError) {
    const message = 'too many calls are waiting and this one was not begun: send it again later'
    return new ConnectError(message, Code.ResourceExhausted)
  }
  if (isUnavailable(error)) {
    noteUnavailable(error, call)
    const message =
      'the database or the broker is unavailable or refuses work for the moment: send it again shortly'
    return new ConnectError(message, Code.Unavailable)
  }
  call.log.error({ err: error, procedure: call.procedure }, 'call failed for an unknown reason')
  return new ConnectError(`internal error${traceHint()}`, Code.Internal)
}

/** While something is unavailable every call fails for it: its reason is logged this often, not with each call. */
const NOTE_INTERVAL_MS = 10_000
/** When each reason was logged last, by its code: as many as a database has states. */
const notedAtMs = new Map<string, number>()

function noteUnavailable(error: unknown, { log, procedure }: CallContext): void {
  const code = errorCode(error) ?? ''
  const nowMs = performance.now()
  if (nowMs - (notedAtMs.get(code) ?? -NOTE_INTERVAL_MS) < NOTE_INTERVAL_MS) return
  notedAtMs.set(code, nowMs)
  log.warn({ reason: messageOf(error), code, procedure }, 'calls need what is unavailable')
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')
}

/** Connect aborts with a ConnectError when it knows why: deadline, shutdown or a reset stream. */
function abortReason(signal: AbortSignal): ConnectError {
  const reason: unknown = signal.reason
  if (reason instanceof ConnectError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return deadlinePassed()
  }
  return callerLeft()
}

export function deadlinePassed(): ConnectError {
  return new ConnectError('the deadline of the call has passed', Code.DeadlineExceeded)
}

export function callerLeft(): ConnectError {
  return new ConnectError('the caller has left', Code.Canceled)
}

function traceHint(): string {
  const span = trace.getActiveSpan()?.spanContext()
  return span && isSpanContextValid(span) ? `, trace ${span.traceId}` : ''
}
