/** The streams that live answers itself have spans and durations like every other call. */
import { captureSpans } from '@bidmesh/platform/testing/capture-spans.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTelemetry } from '@bidmesh/platform/telemetry/telemetry.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterEach, expect, it } from 'vitest'
import { startStreams } from './test-streams.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const traceId = '0af7651916cd43dd8448eb211c80319c'
const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` }

async function startWorld() {
  const telemetry = await startTelemetry({ serviceName: 'test' })
  const spans = captureSpans()
  const streams = await startStreams()
  cleanups.push(telemetry.stop, spans.stop, streams.stop)
  const baseUrl = `http://127.0.0.1:${streams.port}`
  const live = createClient(LiveService, createConnectTransport({ baseUrl, httpVersion: '1.1' }))
  return { telemetry, spans, streams, baseUrl, live, itemId: streams.item().id }
}

it('lasts until its reader leaves, by whatever protocol', async () => {
  const { telemetry, spans, baseUrl, live, itemId } = await startWorld()
  const leave = new AbortController()
  const stream = live.watchItem({ itemId }, { headers, signal: leave.signal })
  const page = await fetch(`${baseUrl}/live/items/${itemId}`, { headers, signal: leave.signal })
  await page.body?.getReader().read()
  for await (const _ of stream) break
  expect(spans.finished().length).toBeLessThan(2)
  leave.abort()
  await eventually(() => expect(spans.finished()).toHaveLength(2))
  for (const span of spans.finished()) {
    expect(span).toMatchObject({
      name: 'live.v1.LiveService/WatchItem',
      parentSpanContext: { traceId },
      attributes: { 'rpc.system.name': 'connectrpc', 'rpc.status_code': 'canceled' },
    })
  }
  expect(await telemetry.metricsText()).toMatch(
    /^rpc_server_call_duration_count\{.*rpc_method="live\.v1\.LiveService\/WatchItem",rpc_status_code="canceled"\} 2$/m,
  )
})

it('says why the server has ended it, or has not begun it', async () => {
  const { telemetry, spans, streams, live, itemId } = await startWorld()
  const stream = live.watchItem({ itemId })[Symbol.asyncIterator]()
  await stream.next()
  streams.hub.drain(new ConnectError('the server stops', Code.Unavailable))
  await expect(stream.next().then(() => stream.next())).rejects.toThrow(/stops/)
  const unreadable = live.watchItem({ itemId: 'no-uuid' })[Symbol.asyncIterator]()
  await expect(unreadable.next()).rejects.toThrow(/item_id/)
  await eventually(() => expect(spans.finished()).toHaveLength(2))
  expect(spans.finished()).toMatchObject([
    { attributes: { 'rpc.status_code': 'unavailable', 'error.type': 'unavailable' } },
    { attributes: { 'rpc.status_code': 'invalid_argument' } },
  ])
  const text = await telemetry.metricsText()
  expect(text).toMatch(/^bidmesh_rpc_duration_count\{.*WatchItem",code="unavailable"\} 1$/m)
  expect(text).not.toMatch(/^bidmesh_rpc_duration_count\{.*WatchItem",code="canceled"\}/m)
})
