import { createServer } from 'node:http'
import { once } from 'node:events'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { create } from '@bufbuild/protobuf'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { BidService, PlaceBidResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { context, propagation, ROOT_CONTEXT, trace, metrics, SpanKind } from '@opentelemetry/api'
import { startTelemetry } from './telemetry.ts'
import { rpcInterceptors } from './rpc-interceptors.ts'
import { createLog } from './log.ts'
import { createDualServer } from './http-dual-server.ts'
import { startServer } from './server.ts'
const telemetry = await startTelemetry({ serviceName: 'b' })
const routes = (router: any) => router.service(BidService, { placeBid: async () => create(PlaceBidResponseSchema, { minimumNextBid: 105n }) })
const base = { routes, readMaxBytes: 65536, jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true } }
const g = { keys: (h: Headers) => [...h.keys()], get: (h: Headers, k: string) => h.get(k) ?? undefined }
const tr = trace.getTracer('bidmesh'); const h = metrics.getMeter('bidmesh').createHistogram('x.y')
const sp = tr.startSpan('x', { kind: SpanKind.SERVER }, ROOT_CONTEXT)
const log = createLog({ name: 'b', level: 'warn' })
const all = rpcInterceptors(log)
const I: Record<string, any> = {
  bare: [], 
  extract: [(next: any) => async (r: any) => { propagation.extract(ROOT_CONTEXT, r.header, g); return next(r) }],
  span: [(next: any) => async (r: any) => { const s = tr.startSpan('x', { kind: SpanKind.SERVER }, ROOT_CONTEXT); try { return await next(r) } finally { s.end() } }],
  ctx: [(next: any) => async (r: any) => await context.with(trace.setSpan(ROOT_CONTEXT, sp), next, undefined, r)],
  record: [(next: any) => async (r: any) => { const t = performance.now(); const x = await next(r); h.record((performance.now() - t) / 1000, { procedure: 'bids.v1.BidService/PlaceBid', code: 'ok' }); return x }],
  tracing: [all[0]], stack: all, stackdual: all, stackall: all,
}
const v = process.argv[2]!
const a = connectNodeAdapter({ ...base, interceptors: I[v], ...(v === 'stackall' ? { maxTimeoutMs: 600000, shutdownSignal: new AbortController().signal } : {}) })
let port
if (v === 'server') port = (await startServer({ host: '127.0.0.1', port: 0, log, metricsText: telemetry.metricsText, parts: [{ name: 'b', services: [BidService], routes, check: async () => {}, stop: async () => {} }] })).port
else { const s = v.endsWith('dual') || v === 'stackall' ? createDualServer(a).net : createServer(a); s.listen(0); await once(s, 'listening'); port = (s.address() as any).port }
const out: string[] = []
for (let r = 0; r < 4; r++) {
  const c = process.cpuUsage(); const { stdout } = await promisify(execFile)(process.execPath, ['_bench-load.ts', String(port), process.argv[3] ?? '1'])
  const { user, system } = process.cpuUsage(c); out.push(((user + system) / Number(stdout.split(' ')[1])).toFixed(1))
}
console.log(v.padEnd(10), out.join(' '))
process.exit()
