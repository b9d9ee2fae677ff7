/**
 * What Node itself is doing, as observable instruments that are read only when somebody scrapes: event
 * loop delay and utilization, memory, CPU. Names follow OpenTelemetry's semantic conventions for
 * processes, Node.js and V8.
 */
import { metrics } from '@opentelemetry/api'
import type { Observable, ObservableResult } from '@opentelemetry/api'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** A timer fires this often to measure the delay; finer costs CPU while idle. */
const DELAY_RESOLUTION_MS = 20

/** Starts observing; returns what ends it. Needs the meter provider to be registered already. */
export function observeRuntime(): () => void {
  const meter = metrics.getMeter('bidmesh')
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  delay.enable()
  let loopBefore = performance.eventLoopUtilization()
  const observers: [Observable, (result: ObservableResult) => void][] = [
    [
      meter.createObservableGauge('nodejs.eventloop.delay.p99', { unit: 's' }),
      (result) => {
        result.observe(delay.percentile(99) / 1e9)
        delay.reset()
      },
    ],
    [
      meter.createObservableGauge('nodejs.eventloop.utilization', { unit: '1' }),
      (result) => {
        const now = performance.eventLoopUtilization()
        result.observe(performance.eventLoopUtilization(now, loopBefore).utilization)
        loopBefore = now
      },
    ],
    [
      meter.createObservableGauge('process.memory.usage', { unit: 'By' }),
      (result) => result.observe(process.memoryUsage.rss()),
    ],
    [
      meter.createObservableGauge('v8js.memory.heap.used', { unit: 'By' }),
      (result) => result.observe(process.memoryUsage().heapUsed),
    ],
    [
      meter.createObservableCounter('process.cpu.time', { unit: 's' }),
      (result) => {
        const { user, system } = process.cpuUsage()
        result.observe(user / 1e6, { 'cpu.mode': 'user' })
        result.observe(system / 1e6, { 'cpu.mode': 'system' })
      },
    ],
  ]
  for (const [instrument, observe] of observers) instrument.addCallback(observe)
  return () => {
    delay.disable()
    for (const [instrument, observe] of observers) instrument.removeCallback(observe)
  }
}
