import { SpanKind, trace } from '@opentelemetry/api'
import { captureSpans } from '@bidmesh/platform/testing/capture-spans.ts'
import type { CapturedSpans } from '@bidmesh/platform/testing/capture-spans.ts'
import type { OutgoingEvent } from '@bidmesh/platform/broker/broker.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { traceProducing } from './producer-span.ts'

const traceId = 'a'.repeat(32)
const parentId = 'b'.repeat(16)

function eventWith(headers: Record<string, string>): OutgoingEvent {
  return {
    id: '018f0000-0000-7000-8000-000000000001',
    type: 'bid.placed',
    key: '018f0000-0000-7000-8000-000000000002',
    payload: new Uint8Array(),
    headers,
    occurredAt: new Date(0),
  }
}

let spans: CapturedSpans
beforeEach(() => {
  spans = captureSpans()
})
afterEach(() => spans.stop())

test('an event of a sampled trace gets a producer span, which its consumer continues', () => {
  const sent = eventWith({ traceparent: `00-${traceId}-${parentId}-01`, tracestate: 'k=v' })
  const { events, end } = traceProducing(trace.getTracer('test'), [sent])
  end()
  const [span] = spans.finished()
  expect(span).toMatchObject({ name: 'send bid.placed', kind: SpanKind.PRODUCER })
  expect(span?.spanContext().traceId).toBe(traceId)
  expect(span?.parentSpanContext?.spanId).toBe(parentId)
  const spanId = span?.spanContext().spanId
  expect(events[0]?.headers).toEqual({
    traceparent: `00-${traceId}-${spanId}-01`,
    tracestate: 'k=v',
  })
})

test.each([
  ['not sampled', { traceparent: `00-${traceId}-${parentId}-00` }],
  ['no trace', {}],
  ['no trace that anybody can read', { traceparent: '01' }],
])('%s: the very same event, and no span', (_, headers) => {
  const sent = [eventWith(headers)]
  const { events, end } = traceProducing(trace.getTracer('test'), sent)
  end()
  expect(events).toBe(sent)
  expect(spans.finished()).toEqual([])
})

test('a publish that failed is a failed span', () => {
  const sent = eventWith({ traceparent: `00-${traceId}-${parentId}-01` })
  traceProducing(trace.getTracer('test'), [sent]).end(new Error('no confirm'))
  expect(spans.finished()[0]?.status).toMatchObject({ message: 'no confirm' })
})
