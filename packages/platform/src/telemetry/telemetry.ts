/**
 * OpenTelemetry for one process. Metrics are always collected, for `/metrics`. Every call has trace ids,
 * for logs and for the `traceparent` stored with an event; spans are recorded only when something
 * exports them, which takes the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin): without
 * them nothing is sent, connected to or even loaded.
 *
 * `@opentelemetry/api` has no proxy for meters: an instrument made before {@link startTelemetry} counts
 * nothing for ever. Make instruments where a component starts, not at the top of a module.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { context, diag, DiagLogLevel, metrics, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  CompositePropagator,
  getBooleanFromEnv,
  getNumberFromEnv,
  getStringFromEnv,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import type { IMetricReader, PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { AlwaysOffSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import { ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions'
import { messageOf } from '../process/errors.ts'
import type { Log } from '../process/log.ts'
import { observeRuntime } from './observe-runtime.ts'

/** Longest wait for a collector to take what is left when the process ends. */
const FLUSH_LIMIT_MS = 1_000

/** The specification's defaults for metrics that are pushed. */
const METRIC_INTERVAL_DEFAULT_MS = 60_000
const METRIC_TIMEOUT_DEFAULT_MS = 30_000

export type TelemetryOptions = {
  /** `service.name`; the variable OTEL_SERVICE_NAME wins. */
  serviceName: string
  /** Told when a collector cannot be reached. */
  log?: Log
}

export type Telemetry = {
  /** All metrics in the Prometheus text format. */
  metricsText: () => Promise<string>
  /** Sends what is left (at most 1 s) and takes the providers out of the API again. */
  stop: () => Promise<void>
}

/**
 * Registers the providers of this process with `@opentelemetry/api`. Call once, before any component starts.
 * `OTEL_SDK_DISABLED=true` leaves all of it out.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  if (getBooleanFromEnv('OTEL_SDK_DISABLED')) {
    return { metricsText: async () => '# OTEL_SDK_DISABLED is set\n', stop: async () => undefined }
  }
  if (options.log) logDiagnostics(options.log)
  const serviceName = getStringFromEnv('OTEL_SERVICE_NAME') ?? options.serviceName
  const prometheus = new PrometheusExporter({ preventServerStart: true })
  const readers = [prometheus, ...(await otlpMetricReaders())]
  const shutdown = sendsTraces()
    ? await startSendingSdk(serviceName, readers)
    : startQuietSdk(serviceName, readers)
  const unobserve = observeRuntime()
  const serializer = new PrometheusSerializer('', false, undefined, false, true)
  return {
    metricsText: async () =>
      `${serializer.serialize((await prometheus.collect()).resourceMetrics)}\n`,
    stop: async () => {
      // A collector that hangs must not hold up the end of the process.
      await Promise.race([shutdown().catch(ignoreUnsent), sleep(FLUSH_LIMIT_MS)])
      unobserve()
      for (const api of [trace, metrics, context, propagation, diag]) api.disable()
    },
  }
}

function ignoreUnsent(error: unknown): void {
  diag.warn(`the last telemetry could not be sent: ${messageOf(error)}`)
}

const silent = () => undefined

function logDiagnostics(log: Log): void {
  const warn = (message: string, ...rest: unknown[]) => log.warn({ rest }, `telemetry: ${message}`)
  diag.setLogger(
    { error: warn, warn, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
}

function sendsTraces(): boolean {
  const exporter = getStringFromEnv('OTEL_TRACES_EXPORTER')
  return exporter === undefined ? hasEndpoint('TRACES') : exporter !== 'none'
}

function hasEndpoint(signal: 'TRACES' | 'METRICS'): boolean {
  const names = ['OTEL_EXPORTER_OTLP_ENDPOINT', `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]
  return names.some((name) => getStringFromEnv(name) !== undefined)
}

/** NodeSDK reads all other variables. Loaded on demand: it costs 33 MB and 300 ms. */
async function startSendingSdk(serviceName: string, metricReaders: IMetricReader[]) {
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  const sdk = new NodeSDK({ serviceName, metricReaders, logRecordProcessors: [] })
  sdk.start()
  return () => sdk.shutdown()
}

/** Ids without records: every span is unsampled, `traceparent` ends in 00. */
function startQuietSdk(serviceName: string, readers: IMetricReader[]) {
  const resource = defaultResource()
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(resourceFromAttributes({ [ATTR_SERVICE_NAME]: serviceName }))
  const meterProvider = new MeterProvider({ resource, readers })
  metrics.setGlobalMeterProvider(meterProvider)
  trace.setGlobalTracerProvider(new TracerProvider({ sampler: new AlwaysOffSampler() }))
  registerPropagation()
  return () => meterProvider.shutdown()
}

/** The context of a call follows it through its promises; W3C headers carry it between processes. */
export function registerPropagation(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()]
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
}

/** NodeSDK would make this reader by itself only in place of the one for `/metrics`. */
async function otlpMetricReaders(): Promise<IMetricReader[]> {
  const exporters = getStringFromEnv('OTEL_METRICS_EXPORTER') ?? 'otlp'
  if (!exporters.includes('otlp') || !hasEndpoint('METRICS')) return []
  const exportIntervalMillis =
    getNumberFromEnv('OTEL_METRIC_EXPORT_INTERVAL') ?? METRIC_INTERVAL_DEFAULT_MS
  const exportTimeoutMillis = Math.min(
    getNumberFromEnv('OTEL_METRIC_EXPORT_TIMEOUT') ?? METRIC_TIMEOUT_DEFAULT_MS,
    exportIntervalMillis,
  )
  const exporter = await otlpMetricExporter()
  return [
    new PeriodicExportingMetricReader({ exporter, exportIntervalMillis, exportTimeoutMillis }),
  ]
}

async function otlpMetricExporter(): Promise<PushMetricExporter> {
  const protocol =
    getStringFromEnv('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL') ??
    getStringFromEnv('OTEL_EXPORTER_OTLP_PROTOCOL')
  const { OTLPMetricExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-metrics-otlp-grpc')
      : protocol === 'http/json'
        ? await import('@opentelemetry/exporter-metrics-otlp-http')
        : await import('@opentelemetry/exporter-metrics-otlp-proto')
  return new OTLPMetricExporter()
}
