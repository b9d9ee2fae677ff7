/** Tells of connections that were closed for what they did or for want of a place: a metric, and a line now and then. */
import { metrics } from '@opentelemetry/api'
import type { Log } from '../process/log.ts'

/** An attack makes thousands a second; one line says as much. */
const TOLD_EVERY_MS = 10_000

/** @param now the clock in ms, for tests */
export function createConnectionCuts(log: Log, now = () => performance.now()) {
  const counter = metrics.getMeter('bidmesh').createCounter('bidmesh.connections.cut', {
    description: 'Connections closed, or not taken, to protect the others, by reason',
  })
  const counts = new Map<string, number>()
  let toldMs = Number.NEGATIVE_INFINITY
  return (reason: string): void => {
    counter.add(1, { reason })
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
    if (now() - toldMs < TOLD_EVERY_MS) return
    toldMs = now()
    log.warn({ cut: Object.fromEntries(counts) }, 'connections were cut to protect the others')
    counts.clear()
  }
}
