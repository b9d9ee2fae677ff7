/**
 * From the queue into the projections: a batch from the broker is one transaction, then the leaderboards.
 * It is acknowledged when this returns; whatever dies before leaves the batch to be delivered again, and
 * the inbox to recognise it.
 */
import type { Broker, IncomingEvent, Subscription } from '@bidmesh/platform/broker.ts'
import type { Session } from '@bidmesh/platform/session.ts'
import { propagation, ROOT_CONTEXT, SpanKind, trace, type Tracer } from '@opentelemetry/api'
import type { Leaderboards } from './leaderboards.ts'
import type { StatsMetrics } from './metrics.ts'
import { projectEvents } from './project-events.ts'

/** The durable queue all replicas share. */
const QUEUE = 'stats'

/** Everything: an event without any queue would wait in the outbox for one. */
const BINDINGS = ['#']

/** Largest batch. At 1,000 a transaction takes about 40 ms; larger ones only make the lag coarser. */
const PREFETCH = 1_000

export type ConsumerOptions = {
  session: Session
  broker: Broker
  leaderboards: Leaderboards
  metrics: StatsMetrics
}

export async function startConsumer(options: ConsumerOptions): Promise<Subscription> {
  const { session, broker, leaderboards, metrics } = options
  const tracer = trace.getTracer('bidmesh')
  const queue = { name: QUEUE, bindings: BINDINGS, prefetch: PREFETCH }
  return await broker.subscribe(queue, async (events) => {
    const endSpans = startSpans(tracer, events)
    try {
      const { applied, duplicates, standings } = await projectEvents(session, events)
      metrics.batch(events.length)
      metrics.applied(applied, duplicates)
      metrics.lag(Date.now() - Math.min(...events.map((event) => event.occurredAt.getTime())))
      await leaderboards.update(standings)
    } finally {
      endSpans()
    }
  })
}

/** A consumer span for each event of a sampled trace, under the relay's span; none for the others. */
function startSpans(tracer: Tracer, events: readonly IncomingEvent[]): () => void {
  const traced = events.filter((event) => event.headers['traceparent']?.endsWith('-01'))
  const spans = traced.map((event) => {
    const parent = propagation.extract(ROOT_CONTEXT, event.headers)
    const attributes = {
      'messaging.operation.type': 'process',
      'messaging.message.id': event.id,
      'messaging.batch.message_count': events.length,
    }
    return tracer.startSpan(
      `process ${event.type}`,
      { kind: SpanKind.CONSUMER, attributes },
      parent,
    )
  })
  return () => {
    for (const span of spans) span.end()
  }
}
