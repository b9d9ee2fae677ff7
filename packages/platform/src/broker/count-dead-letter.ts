/**
 * The metrics to alert on: events that nobody could apply, and batches that wait. Either broker puts the former into
 * the dead queue of a durable queue; an exclusive queue has none, and drops them.
 */
import { metrics } from '@opentelemetry/api'

/** Counts one; so rare that the instrument is looked up each time (the API has no proxy for meters). */
export function countDeadLetter(queue: string, type: string): void {
  metrics
    .getMeter('bidmesh')
    .createCounter('bidmesh.dead_letters', {
      description:
        'Events their consumer cannot apply: in the dead queue, or dropped by an exclusive queue',
    })
    .add(1, { queue, type })
}

/** Counts a batch that waits for its next try; at most a few times a second. */
export function countRetry(queue: string): void {
  metrics
    .getMeter('bidmesh')
    .createCounter('bidmesh.consumer.retries', {
      description: 'Batches that could not be applied for a reason that is not their own, and wait',
    })
    .add(1, { queue })
}
