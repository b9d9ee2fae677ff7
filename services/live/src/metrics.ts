/** What the live service counts and times; on `/metrics` the names have `_` for `.`, counters end in `_total`. */
import { metrics } from '@opentelemetry/api'
import type { Hub } from './feed/hub.ts'
import type { ViewerEvents } from './streams/viewer.ts'

export type LiveMetrics = ViewerEvents & {
  /** One burst was written to so many viewers; `lagMs` since its oldest bid was decided. */
  sent: (viewers: number, messages: number, lagMs: number | undefined) => void
  observe: (hub: Hub) => void
}

/** Makes the instruments: call it when the component starts, after telemetry has. */
export function createLiveMetrics(): LiveMetrics {
  const meter = metrics.getMeter('bidmesh')
  const deliveries = meter.createCounter('bidmesh.live.deliveries', {
    description: 'Changes written to viewers, counted once per viewer',
  })
  const lag = meter.createHistogram('bidmesh.live.lag', {
    description: 'From the decision of a bid until it was written to the last viewer',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5] },
  })
  const behind = meter.createCounter('bidmesh.live.viewers_behind', {
    description: 'Times a viewer read too slowly and was given the latest state instead',
  })
  const dropped = meter.createCounter('bidmesh.live.viewers_dropped', {
    description: 'Viewers dropped because they took nothing for too long',
  })
  return {
    sent: (viewers, messages, lagMs) => {
      deliveries.add(viewers * messages)
      if (lagMs !== undefined) lag.record(lagMs / 1_000)
    },
    fellBehind: () => behind.add(1),
    dropped: () => dropped.add(1),
    observe: (hub) => {
      meter
        .createObservableGauge('bidmesh.live.viewers', { description: 'Open streams' })
        .addCallback((result) => result.observe(hub.viewers.size()))
      meter
        .createObservableGauge('bidmesh.live.items', { description: 'Items being watched' })
        .addCallback((result) => result.observe(hub.roomCount))
    },
  }
}
