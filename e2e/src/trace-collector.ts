/** An OpenTelemetry collector of a few lines: takes OTLP traces as JSON over HTTP and remembers the spans. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

export type CollectedSpan = {
  /** `service.name` of the process it comes from. */
  service: string
  name: string
  traceId: string
  spanId: string
  parentSpanId?: string
}

export type TraceCollector = {
  /**
   * For processes that are to send here: calls whose `traceparent` is sampled are recorded, no others, and
   * spans leave soon.
   */
  env: Readonly<Record<string, string>>
  spans: () => readonly CollectedSpan[]
  stop: () => Promise<void>
}

/** https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, as far as it is read here. */
type ExportRequest = {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] }
    scopeSpans: { spans: Omit<CollectedSpan, 'service'>[] }[]
  }[]
}

/** Listens on a free port of 127.0.0.1. */
export async function startTraceCollector(): Promise<TraceCollector> {
  const collected: CollectedSpan[] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { resourceSpans }: ExportRequest = JSON.parse(await text(request))
    for (const { resource, scopeSpans } of resourceSpans) {
      const name = resource.attributes.find(({ key }) => key === 'service.name')
      const service = name?.value.stringValue ?? ''
      for (const { spans } of scopeSpans) {
        collected.push(...spans.map((span) => ({ ...span, service })))
      }
    }
    response.setHeader('content-type', 'application/json').end('{}')
  }
  const server = createServer((request, response) => void take(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    env: {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${address.port}/v1/traces`,
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
      OTEL_TRACES_SAMPLER: 'parentbased_always_off',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    },
    spans: () => collected,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
