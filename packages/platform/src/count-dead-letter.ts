/**
 * The metric to alert on: an event nobody could apply. Either broker puts it into the dead queue of a durable
 * queue; an exclusive queue has none, and drops it.
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
