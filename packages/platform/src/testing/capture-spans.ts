/**
 * For tests: records every span of this process in memory, so that a test can follow one trace through
 * all it touches. Call it before the first span; it replaces what {@link startTelemetry} registered.
 */
import { context, propagation, trace } from '@opentelemetry/api'
import { AlwaysOnSampler, InMemorySpanExporter } from '@opentelemetry/sdk-trace'
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { registerPropagation } from '../telemetry/telemetry.ts'

export type CapturedSpans = {
  /** Spans that have ended, in the order of their ends. */
  finished: () => ReadableSpan[]
  reset: () => void
  stop: () => Promise<void>
}

/** Samples and keeps everything until stopped. */
export function captureSpans(): CapturedSpans {
  for (const api of [trace, context, propagation]) api.disable()
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  })
  trace.setGlobalTracerProvider(provider)
  registerPropagation()
  return {
    finished: () => exporter.getFinishedSpans(),
    reset: () => exporter.reset(),
    stop: async () => {
      await provider.shutdown()
      for (const api of [trace, context, propagation]) api.disable()
    },
  }
}
