/**
 * The relay's part of an event's trace: a producer span between the call that made the event (its stored
 * `traceparent`) and the consumer. Only for sampled traces: for all others an event passes untouched, because
 * this is the hot path.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Span, Tracer } from '@opentelemetry/api'
import type { OutgoingEvent } from '@bidmesh/platform/broker/broker.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'

/** https://www.w3.org/TR/trace-context/#traceparent-header: version, trace id, parent id, flags. */
const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const SAMPLED = 1

export type Traced = {
  /** The same events; those of sampled traces carry their span's `traceparent`. */
  events: readonly OutgoingEvent[]
  /** Ends the spans, as failed when there is an error. */
  end: (error?: unknown) => void
}

/** Starts a span for each event whose stored trace is sampled. */
export function traceProducing(tracer: Tracer, events: readonly OutgoingEvent[]): Traced {
  const spans: Span[] = []
  const traced = events.map((event) => {
    const span = startSpan(tracer, event)
    if (span === undefined) return event
    spans.push(span)
    const { traceId, spanId, traceFlags } = span.spanContext()
    const flags = traceFlags.toString(16).padStart(2, '0')
    return {
      ...event,
      headers: { ...event.headers, traceparent: `00-${traceId}-${spanId}-${flags}` },
    }
  })
  return {
    events: spans.length === 0 ? events : traced,
    end: (error) => {
      for (const span of spans) {
        if (error !== undefined)
          span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) })
        span.end()
      }
    },
  }
}

function startSpan(tracer: Tracer, event: OutgoingEvent): Span | undefined {
  const stored = event.headers['traceparent']
  if (stored === undefined) return undefined
  const [, traceId, spanId, flags] = traceparentPattern.exec(stored) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  const traceFlags = Number.parseInt(flags, 16)
  if ((traceFlags & SAMPLED) === 0) return undefined
  const parent = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
  const attributes = {
    'messaging.operation.type': 'send',
    'messaging.message.id': event.id,
    'messaging.rabbitmq.destination.routing_key': event.type,
  }
  return tracer.startSpan(`send ${event.type}`, { kind: SpanKind.PRODUCER, attributes }, parent)
}
