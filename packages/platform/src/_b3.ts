import { createServer } from 'node:http'
import { once } from 'node:events'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { create } from '@bufbuild/protobuf'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { BidService, PlaceBidResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { createDualServer } from './http-dual-server.ts'
const routes = (router: any) => router.service(BidService, { placeBid: async () => create(PlaceBidResponseSchema, { minimumNextBid: 105n }) })
const base = { routes, readMaxBytes: 65536, jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true } }
async function l(s: any) { s.listen(0); await once(s, 'listening'); return s.address().port as number }
const a = (o: any) => connectNodeAdapter({ ...base, ...o })
const variants: [string, number][] = [['bare', await l(createServer(a({})))], ['shutdown', await l(createServer(a({ shutdownSignal: new AbortController().signal })))], ['timeout', await l(createServer(a({ maxTimeoutMs: 600000 })))],
 ['dual', await l(createDualServer(a({})).net)]]
const cpu = new Map<string, number[]>()
for (let r = 0; r < 5; r++) for (const [name, port] of variants) {
  const c = process.cpuUsage(); const { stdout } = await promisify(execFile)(process.execPath, ['_bench-load.ts', String(port), '1'])
  const { user, system } = process.cpuUsage(c); cpu.set(name, [...(cpu.get(name) ?? []), (user + system) / Number(stdout.split(' ')[1])])
}
for (const [name, r] of cpu) console.log('cpu us/req', name.padEnd(10), r.map(x => x.toFixed(1)).join(' '), 'median', r.toSorted((a,b)=>a-b)[r.length>>1]!.toFixed(1))
process.exit()
