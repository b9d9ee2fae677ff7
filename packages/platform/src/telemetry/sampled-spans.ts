/**
 * Spans for many things done at once (a batch of bids, of events), each under the trace it came with. Only
 * for traces that somebody records: all others cost one comparison, because this is on hot paths.
 */
import {
  type Attributes,
  propagation,
  ROOT_CONTEXT,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
} from '@opentelemetry/api'
import { messageOf } from '../process/errors.ts'

export type SpanDetails = { name: string; attributes: Attributes }

/**
 * Starts a span for each thing whose trace is sampled; the returned function ends them, as failed when
 * there is an error.
 *
 * @param carrierOf headers with the thing's `traceparent`, if it has one
 */
export function startSampledSpans<Thing>(
  tracer: Tracer,
  kind: SpanKind,
  things: readonly Thing[],
  carrierOf: (thing: Thing) => Readonly<Record<string, string>>,
  detailsOf: (thing: Thing) => SpanDetails,
): (error?: unknown) => void {
  const sampled = things.filter((thing) => carrierOf(thing)['traceparent']?.endsWith('-01'))
  const spans = sampled.map((thing) => {
    const { name, attributes } = detailsOf(thing)
    const parent = propagation.extract(ROOT_CONTEXT, carrierOf(thing))
    return tracer.startSpan(name, { kind, attributes }, parent)
  })
  return (error) => {
    for (const span of spans) {
      if (error !== undefined) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) })
      }
      span.end()
    }
  }
}
