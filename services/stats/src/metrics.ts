/** What the consumer counts. */
import { metrics } from '@opentelemetry/api'

/** Seconds from an event to its effect: 10–50 ms in good health, more when something was unavailable. */
const LAG_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600]

export type StatsMetrics = {
  batch(events: number): void
  applied(events: number, duplicates: number): void
  /** @param lagMs from the event's time to its effect, both by clocks of servers */
  lag(lagMs: number): void
}

/** Makes the instruments: call it when the component starts, after telemetry has. */
export function createStatsMetrics(): StatsMetrics {
  const meter = metrics.getMeter('bidmesh')
  const applied = meter.createCounter('bidmesh.events.applied', {
    description: 'Events that took effect in the projections',
  })
  const duplicates = meter.createCounter('bidmesh.inbox.duplicates', {
    description: 'Events the inbox had seen before',
  })
  const batchSize = meter.createHistogram('bidmesh.consumer.batch_size', {
    description: 'Events applied by one transaction',
    advice: { explicitBucketBoundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] },
  })
  const lag = meter.createHistogram('bidmesh.consumer.lag', {
    description: 'From the event to its effect, once per batch for its oldest event',
    unit: 's',
    advice: { explicitBucketBoundaries: LAG_BUCKETS_S },
  })
  return {
    batch: (events) => batchSize.record(events),
    applied: (events, repeats) => {
      applied.add(events)
      if (repeats > 0) duplicates.add(repeats)
    },
    lag: (lagMs) => lag.record(Math.max(lagMs, 0) / 1_000),
  }
}
