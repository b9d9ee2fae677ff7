/**
 * What the relay counts, and what it asks the outbox when somebody looks at the metrics: an idle relay that
 * nobody looks at counts no rows. Every replica reports the same backlog: take the maximum, not the sum.
 */
import { metrics as api } from '@opentelemetry/api'
import type { BatchObservableCallback } from '@opentelemetry/api'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { measureBacklog } from './outbox.ts'

/** Seconds; a quorum queue confirms a full batch in 10–50 ms, and 5 s is when waiting ends. */
const CONFIRM_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

export type FailureReason = 'unroutable' | 'broker' | 'database'

export type RelayMetrics = {
  /** All events of a publish were confirmed after `waitMs`. */
  confirmed: (waitMs: number) => void
  published: (events: number) => void
  failed: (reason: FailureReason) => void
  /** Observes no longer. */
  stop: () => void
}

/** Creates the instruments on the meter `bidmesh`; call once the telemetry has started. */
export function observeRelay(sql: Sql): RelayMetrics {
  const meter = api.getMeter('bidmesh')
  const published = meter.createCounter('bidmesh.outbox.published', {
    description: 'Events confirmed by the broker and deleted from the outbox.',
  })
  const failures = meter.createCounter('bidmesh.publish.failures', {
    description: 'Attempts to relay that failed, by reason; the events stay in the outbox.',
  })
  const confirm = meter.createHistogram('bidmesh.publish.confirm', {
    description: 'From publishing a batch to its last confirm.',
    unit: 's',
    advice: { explicitBucketBoundaries: CONFIRM_BUCKETS_S },
  })
  const backlog = meter.createObservableGauge('bidmesh.outbox.backlog', {
    description: 'Events in the outbox, exact up to 100,000.',
  })
  const oldestAge = meter.createObservableGauge('bidmesh.outbox.oldest_age', {
    description: 'Age of the oldest event in the outbox.',
    unit: 's',
  })
  const observe: BatchObservableCallback = async (result) => {
    const { rows, oldestAgeS } = await measureBacklog(sql)
    result.observe(backlog, rows)
    result.observe(oldestAge, oldestAgeS)
  }
  meter.addBatchObservableCallback(observe, [backlog, oldestAge])
  return {
    confirmed: (waitMs) => confirm.record(waitMs / 1_000),
    published: (events) => published.add(events),
    failed: (reason) => failures.add(1, { reason }),
    stop: () => meter.removeBatchObservableCallback(observe, [backlog, oldestAge]),
  }
}
