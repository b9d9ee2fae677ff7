import { rpcInterceptors } from './rpc-interceptors.ts'
import { createLog } from './log.ts'
import { startTelemetry } from './telemetry.ts'
import { context, propagation, ROOT_CONTEXT, trace, metrics, SpanKind } from '@opentelemetry/api'
import { create } from '@bufbuild/protobuf'
import { BidService, PlaceBidRequestSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
await startTelemetry({ serviceName: 'b' })
const all = rpcInterceptors(createLog({ name: 'b', level: 'warn' }))
const res = { stream: false } as any
const req = { stream: false, service: BidService, method: BidService.method.placeBid, url: 'http://x/y', header: new Headers({ host: 'x', 'content-type': 'application/json' }), signal: new AbortController().signal, message: create(PlaceBidRequestSchema, { itemId: '0193a1b2-0000-7000-8000-000000000001', amount: 5n, userId: 'anna' }) } as any
const next = async () => res
async function time(name: string, f: () => unknown) { for (let i = 0; i < 100_000; i++) await f(); const t = performance.now(); for (let i = 0; i < 300_000; i++) await f(); console.log(name.padEnd(30), ((performance.now() - t) / 300).toFixed(2), 'us') }
await time('next', next)
for (const [i, n] of ['tracing', 'errors', 'validate'].entries()) { const f = all[i]!(next as any); await time(n, () => f(req)) }
const g = { keys: (h: Headers) => [...h.keys()], get: (h: Headers, k: string) => h.get(k) ?? undefined }
await time('extract', () => { propagation.extract(ROOT_CONTEXT, req.header, g) })
const tr = trace.getTracer('bidmesh')
await time('startSpan', () => { tr.startSpan('x', { kind: SpanKind.SERVER }, ROOT_CONTEXT) })
const sp = tr.startSpan('x', { kind: SpanKind.SERVER }, ROOT_CONTEXT)
await time('context.with', () => context.with(trace.setSpan(ROOT_CONTEXT, sp), next))
const h = metrics.getMeter('bidmesh').createHistogram('x.y')
await time('record 2 attrs', () => { h.record(0.001, { procedure: 'bids.v1.BidService/PlaceBid', code: 'ok' }) })
await time('record 0 attrs', () => { h.record(0.001) })
process.exit()
