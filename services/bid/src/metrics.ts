/** What the bid service counts and times; on `/metrics` the names have `_` for `.`, counters end in `_total`. */
import type { Command } from '@bidmesh/auction/commands.ts'
import { metrics } from '@opentelemetry/api'
import type { RejectionReason } from './errors.ts'

export type RejectedCommand = {
  command: Command['kind']
  itemId: string
  reason: RejectionReason
  /** Answered from a remembered state, without asking Postgres. */
  early: boolean
}

export type BidMetrics = {
  accepted(): void
  rejected(rejected: RejectedCommand): void
  batch(size: number, waitedMs: number): void
  transaction(durationMs: number): void
}

/** Makes the instruments: call it when the component starts, after telemetry has. */
export function createBidMetrics(): BidMetrics {
  const meter = metrics.getMeter('bidmesh')
  const accepted = meter.createCounter('bidmesh.bids.accepted', {
    description: 'Bids accepted and committed',
  })
  const rejected = meter.createCounter('bidmesh.bids.rejected', {
    description: 'Bids rejected, by reason; early: without asking Postgres',
  })
  const changesRejected = meter.createCounter('bidmesh.changes.rejected', {
    description: 'Commands on items other than bids that were rejected, by command and reason',
  })
  const batchSize = meter.createHistogram('bidmesh.lane.batch_size', {
    description: 'Bids that shared one transaction',
    advice: { explicitBucketBoundaries: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] },
  })
  const laneWait = meter.createHistogram('bidmesh.lane.wait', {
    description: 'How long the first bid of a batch waited for the batch to form',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1] },
  })
  const transaction = meter.createHistogram('bidmesh.transaction.duration', {
    description: 'From BEGIN to the answer of COMMIT, lock waits included',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5] },
  })
  return {
    accepted: () => accepted.add(1),
    rejected: ({ command, reason, early }) => {
      if (command === 'place_bid') rejected.add(1, { reason, early })
      else changesRejected.add(1, { command, reason })
    },
    batch: (size, waitedMs) => {
      batchSize.record(size)
      laneWait.record(waitedMs / 1_000)
    },
    transaction: (durationMs) => transaction.record(durationMs / 1_000),
  }
}
