import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { context, metrics, propagation, SpanKind, trace } from '@opentelemetry/api'
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { trustEverybody } from '../identity/authenticator.ts'
import { BidService, GetItemResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { afterEach, expect, test, vi } from 'vitest'
import { captureSpans } from '../testing/capture-spans.ts'
import { createLog } from '../process/log.ts'
import type { Log } from '../process/log.ts'
import { connectService } from '../rpc/service-client.ts'
import { startServer } from '../server/server.ts'
import { startTelemetry } from './telemetry.ts'
import type { Telemetry } from './telemetry.ts'

const itemId = '0193a1b2-0000-7000-8000-000000000001'
const callerTrace = '0af7651916cd43dd8448eb211c80319c'
const callerSpan = 'b7ad6b7169203331'
const traceparent = `00-${callerTrace}-${callerSpan}-01`

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  vi.unstubAllEnvs()
})

async function start(log?: Log): Promise<Telemetry> {
  const telemetry = await startTelemetry({ serviceName: 'test', ...(log ? { log } : {}) })
  cleanups.push(telemetry.stop)
  return telemetry
}

/** Calls GetItem with a sampled traceparent; `inHandler` runs where a handler does. */
async function call(
  metricsText: () => Promise<string>,
  inHandler: () => void,
  then: (url: string) => Promise<void> = async () => undefined,
) {
  const server = await startServer({
    authenticator: trustEverybody,
    host: '127.0.0.1',
    port: 0,
    log: createLog({ name: 'test', level: 'silent' }),
    metricsText,
    components: [
      {
        name: 'bid',
        services: [BidService],
        routes: (router) =>
          router.service(BidService, {
            getItem: async () => {
              await Promise.resolve()
              inHandler()
              return create(GetItemResponseSchema)
            },
          }),
        check: async () => undefined,
        stop: async () => undefined,
      },
    ],
  })
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' })
  await createClient(BidService, transport).getItem({ id: itemId }, { headers: { traceparent } })
  await then(server.url)
  const text = await (await fetch(`${server.url}/metrics`)).text()
  await server.stop()
  return text
}

function outgoingTraceparent(): string | undefined {
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  return carrier['traceparent']
}

test('without a collector: ids go on, nothing is recorded, metrics are there', async () => {
  const telemetry = await start()
  metrics.getMeter('bidmesh').createCounter('bidmesh.bids.accepted').add(2)
  let outgoing: string | undefined
  let recording: boolean | undefined
  const text = await call(telemetry.metricsText, () => {
    outgoing = outgoingTraceparent()
    recording = trace.getActiveSpan()?.isRecording()
  })
  expect(outgoing).toMatch(new RegExp(`^00-${callerTrace}-(?!${callerSpan})[0-9a-f]{16}-00$`))
  expect(recording).toBe(false)
  expect(text).toMatch(/^bidmesh_bids_accepted_total 2$/m)
  const count = 'bidmesh_rpc_duration_count{procedure="bids.v1.BidService/GetItem",code="ok"} 1'
  expect(text).toContain(count)
  expect(text).toContain(
    'rpc_server_call_duration_count{rpc_system_name="connectrpc",rpc_method="bids.v1.BidService/GetItem",rpc_status_code="ok"} 1',
  )
  expect(text).toMatch(/^nodejs_eventloop_utilization 0\.\d+|^nodejs_eventloop_utilization [01]$/m)
  expect(text).toMatch(/^process_memory_usage [1-9]\d{7,}$/m)
  expect(text).toContain('process_cpu_time_total{cpu_mode="user"}')
  expect(text).toContain('service_name="test"')
})

test('captured spans show a call as the child of its caller', async () => {
  const spans = captureSpans()
  cleanups.push(spans.stop)
  let outgoing: string | undefined
  await call(
    async () => '',
    () => (outgoing = outgoingTraceparent()),
  )
  const [span] = spans.finished()
  expect(span).toMatchObject({
    name: 'bids.v1.BidService/GetItem',
    parentSpanContext: { traceId: callerTrace, spanId: callerSpan },
    attributes: { 'rpc.system.name': 'connectrpc', 'rpc.status_code': 'ok' },
  })
  expect(outgoing).toBe(`00-${callerTrace}-${span?.spanContext().spanId}-01`)
})

test('a call of one service to another is in the same trace, on both sides, and timed', async () => {
  const telemetry = await start()
  const spans = captureSpans()
  cleanups.push(spans.stop)
  let answered = 0
  const text = await call(
    telemetry.metricsText,
    () => {
      answered += 1
      if (answered > 1) throw new ConnectError('no item has this id', Code.NotFound)
    },
    async (url) => {
      const { transport, close } = connectService('bid', [url])
      cleanups.push(async () => close())
      const bids = createClient(BidService, transport)
      await expect(bids.getItem({ id: itemId })).rejects.toThrow(/no item/)
    },
  )
  const [first, server, client] = spans.finished()
  expect(first).toMatchObject({ kind: SpanKind.SERVER })
  expect(client).toMatchObject({
    name: 'bids.v1.BidService/GetItem',
    kind: SpanKind.CLIENT,
    attributes: { 'server.address': '127.0.0.1', 'error.type': 'not_found' },
  })
  expect(server).toMatchObject({
    kind: SpanKind.SERVER,
    parentSpanContext: { spanId: client?.spanContext().spanId },
    attributes: { 'rpc.status_code': 'not_found' },
  })
  // It is not the server's fault.
  expect(server?.attributes).not.toHaveProperty('error.type')
  expect(text).toMatch(
    /^rpc_client_call_duration_count\{.*rpc_method="bids\.v1\.BidService\/GetItem".*rpc_status_code="not_found".*\} 1$/m,
  )
})

async function collector() {
  const paths = new Set<string>()
  const server = createServer((request, response) => {
    paths.add(request.url ?? '')
    request.resume().once('end', () => response.end())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(async () => server.close())
  // What listen() with a port gives back is an AddressInfo.
  const { port } = server.address() as AddressInfo
  return { paths, url: `http://127.0.0.1:${port}` }
}

test('with the standard endpoint variable traces and metrics are sent, and /metrics stays', async () => {
  const { paths, url } = await collector()
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', url)
  const telemetry = await start()
  metrics.getMeter('bidmesh').createCounter('bidmesh.bids.accepted').add(1)
  trace.getTracer('bidmesh').startSpan('work').end()
  expect(await telemetry.metricsText()).toMatch(/^bidmesh_bids_accepted_total 1$/m)
  await telemetry.stop()
  expect([...paths].toSorted()).toEqual(['/v1/metrics', '/v1/traces'])
})

test('one signal can be sent without the other', async () => {
  const { paths, url } = await collector()
  vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', `${url}/v1/metrics`)
  const telemetry = await start()
  trace.getTracer('bidmesh').startSpan('work').end()
  await telemetry.stop()
  expect([...paths]).toEqual(['/v1/metrics'])
})

test('a collector that is unavailable delays the end by a second at most', async () => {
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:1')
  const telemetry = await start()
  trace.getTracer('bidmesh').startSpan('work').end()
  const startedAt = performance.now()
  await telemetry.stop()
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})

test('OTEL_SDK_DISABLED leaves everything out', async () => {
  vi.stubEnv('OTEL_SDK_DISABLED', 'true')
  const telemetry = await start()
  const span = trace.getTracer('bidmesh').startSpan('work')
  expect(span.spanContext().traceId).toBe('0'.repeat(32))
  expect(await telemetry.metricsText()).toMatch(/^# /)
})
