/** The metric to alert on: an event nobody could apply, put aside by either broker. */
import { metrics } from '@opentelemetry/api'

/** Counts one; so rare that the instrument is looked up each time (the API has no proxy for meters). */
export function countDeadLetter(queue: string, type: string): void {
  metrics
    .getMeter('bidmesh')
    .createCounter('bidmesh.dead_letters', {
      description: 'Events put into a dead queue because their consumer cannot apply them',
    })
    .add(1, { queue, type })
}
