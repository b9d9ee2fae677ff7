/** What stands behind the figures of a live load. */
import { formatNumber } from './figure.ts'
import type { LiveResult } from '../scenarios/live-load.ts'
import { percentile } from './percentile.ts'

export function liveNote(result: LiveResult): string {
  const { name, pacedMs, loneMs, deliveries, cpuSeconds, tookMs } = result
  const perDelivery = (seconds: number) => formatNumber((seconds / deliveries) * 1e6)
  const cores = formatNumber((cpuSeconds.others / tookMs) * 1_000)
  const p50 = formatNumber(percentile(pacedMs, 0.5))
  return (
    `${name}: ${formatNumber(deliveries)} deliveries of ${pacedMs.length} bids at a rate, p50 ${p50} ms, ` +
    `slowest ${formatNumber(Math.max(...pacedMs))} ms; of ${loneMs.length} lone bids slowest ` +
    `${formatNumber(Math.max(...loneMs))} ms; CPU µs per delivery live ${perDelivery(cpuSeconds.live)} ` +
    `viewers ${perDelivery(cpuSeconds.viewers)}; cores used by all else, bids included, ${cores}`
  )
}
