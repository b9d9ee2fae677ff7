/**
 * What surrounds every procedure, whoever answers it: a span and a duration, and the translation of what it fails with.
 * Plain functions, for the unary responder and for the interceptor of everything else alike. This is the hot path of a
 * bid: what is added here is paid by each of them.
 */
import {
  type Context,
  context,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api'
import type { DescMethod } from '@bufbuild/protobuf'
import { Code, type ConnectError } from '@connectrpc/connect'
import { codeToString } from '@connectrpc/connect/protocol-connect'
import type { ExplainError } from '../process/component.ts'
import type { Log } from '../process/log.ts'
import { callAttributes, procedureName, serverCallDuration } from './call-telemetry.ts'
import { toConnectError } from './rpc-errors.ts'

/** Upper bounds in seconds: around the 1–20 ms of a bid under load, up to the longest deadline. */
const DURATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30]

/** Codes by which the server says that it, not the caller, is at fault. */
const faultCodes = new Set(
  [Code.Unknown, Code.Internal, Code.Unavailable, Code.DataLoss].map((code) => codeToString(code)),
)

/** A call that has begun. */
export type GuardedCall = {
  /** Runs what answers it: what that logs and sends is told by the call's trace. */
  run: <Answer>(answer: () => Answer) => Answer
  /** It has been answered, or given up by its caller. */
  end: (code: 'ok' | 'canceled') => void
  /** It has failed: returns what its caller is told. */
  fail: (error: unknown, signal: AbortSignal) => ConnectError
}

export type CallGuardOptions = {
  log: Log
  /** Of the components, in turn: what only they can say about an error. */
  explain: readonly ExplainError[]
}

/** Begins a call: its span, and the clock of its duration. */
export type CallGuard = <Headers>(
  method: DescMethod,
  headers: Headers,
  getter: TextMapGetter<Headers>,
) => GuardedCall

/** To be made when telemetry has been started. */
export function createCallGuard({ log, explain }: CallGuardOptions): CallGuard {
  const tracer = trace.getTracer('bidmesh')
  const duration = metrics.getMeter('bidmesh').createHistogram('bidmesh.rpc.duration', {
    unit: 's',
    description: 'From the decoded request to the answer, by procedure and code',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS_S },
  })
  const conventional = serverCallDuration()

  class Call implements GuardedCall {
    readonly #method: DescMethod
    readonly #procedure: string
    readonly #span: Span
    readonly #context: Context
    readonly #startedMs = performance.now()

    constructor(method: DescMethod, parent: Context) {
      this.#method = method
      this.#procedure = procedureName(method)
      this.#span = tracer.startSpan(this.#procedure, { kind: SpanKind.SERVER }, parent)
      this.#context = trace.setSpan(parent, this.#span)
    }

    run<Answer>(answer: () => Answer): Answer {
      return context.with(this.#context, answer)
    }

    end(code: string): void {
      const span = this.#span
      const procedure = this.#procedure
      const isFault = faultCodes.has(code)
      const attributes = callAttributes(procedure, code, isFault)
      const seconds = (performance.now() - this.#startedMs) / 1_000
      duration.record(seconds, { procedure, code })
      conventional.record(seconds, attributes)
      if (span.isRecording()) {
        span.setAttributes(attributes)
        if (isFault) span.setStatus({ code: SpanStatusCode.ERROR })
      }
      span.end()
    }

    fail(error: unknown, signal: AbortSignal): ConnectError {
      const explained = explain.reduce((told, one) => one(this.#method, told), error)
      const call = { procedure: this.#procedure, signal, log }
      const told = this.run(() => toConnectError(explained, call))
      this.end(codeToString(told.code))
      return told
    }
  }

  return (method, headers, getter) =>
    new Call(method, propagation.extract(ROOT_CONTEXT, headers, getter))
}
