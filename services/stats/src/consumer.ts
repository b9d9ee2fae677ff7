/**
 * From the queue into the projections: a batch from the broker is one transaction, then the leaderboards.
 * It is acknowledged when this returns; whatever dies before leaves the batch to be delivered again, and
 * the inbox to recognise it.
 */
import { statsQueue } from '@bidmesh/events/queues.ts'
import type { Broker, Subscription } from '@bidmesh/platform/broker/broker.ts'
import { startSampledSpans } from '@bidmesh/platform/telemetry/sampled-spans.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { SpanKind, trace } from '@opentelemetry/api'
import type { Leaderboards } from './leaderboards.ts'
import type { StatsMetrics } from './metrics.ts'
import { projectEvents } from './project-events.ts'

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
  const queue = { ...statsQueue, prefetch: PREFETCH }
  return await broker.subscribe(queue, async (events) => {
    // Under the relay's span, for events of sampled traces.
    const endSpans = startSampledSpans(
      tracer,
      SpanKind.CONSUMER,
      events,
      (event) => event.headers,
      (event) => ({
        name: `process ${event.type}`,
        attributes: {
          'messaging.operation.type': 'process',
          'messaging.message.id': event.id,
          'messaging.batch.message_count': events.length,
        },
      }),
    )
    try {
      const { applied, duplicates, standings } = await projectEvents(session, events)
      metrics.batch(events.length)
      metrics.applied(applied, duplicates)
      metrics.lag(Date.now() - Math.min(...events.map((event) => event.occurredAt.getTime())))
      await leaderboards.update(standings)
      endSpans()
    } catch (error) {
      endSpans(error)
      throw error
    }
  })
}
