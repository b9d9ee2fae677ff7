import { createServer } from 'node:http'
import { once } from 'node:events'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createDualServer } from './http-dual-server.ts'
const h = (req: any, res: any) => { req.resume(); req.on('end', () => { res.writeHead(200, {'content-type': 'application/json'}); res.end('{"a":"b"}') }) }
async function l(s: any) { s.listen(0); await once(s, 'listening'); return s.address().port as number }
const track = () => { const set = new Set<any>(); return (req: any, res: any) => { set.add(res); res.once('close', () => set.delete(res)); h(req, res) } }
const peek = createServer(h); const ls = peek.listeners('connection'); peek.removeAllListeners('connection'); peek.on('connection', (socket: any) => { socket.once('data', (c: any) => { socket.pause(); socket.unshift(c); for (const f of ls) Reflect.apply(f, peek, [socket]); socket.resume() }) })
const peek2 = createServer(h); const ls2 = peek2.listeners('connection'); peek2.removeAllListeners('connection'); peek2.on('connection', (socket: any) => { const f = () => { const c = socket.read(); if (!c) return socket.once('readable', f); socket.unshift(c); for (const f of ls2) Reflect.apply(f, peek2, [socket]);  }; socket.once('readable', f) })
const variants: [string, number][] = [['plain', await l(createServer(h))], ['track', await l(createServer(track()))], ['peek', await l(peek)], ['peek2', await l(peek2)], ['ka', await l(createServer({keepAlive: true, keepAliveInitialDelay: 60000, keepAliveTimeout: 65000, headersTimeout: 10000, requestTimeout: 30000 }, h))], ['dual', await l(createDualServer(h).net)]]
const cpu = new Map<string, number[]>()
for (let r = 0; r < 5; r++) for (const [name, port] of variants) {
  const c = process.cpuUsage(); const { stdout } = await promisify(execFile)(process.execPath, ['_bench-load.ts', String(port), '1'])
  const { user, system } = process.cpuUsage(c); cpu.set(name, [...(cpu.get(name) ?? []), (user + system) / Number(stdout.split(' ')[1])])
}
for (const [name, r] of cpu) console.log('cpu us/req', name.padEnd(10), r.map(x => x.toFixed(1)).join(' '), 'median', r.toSorted((a,b)=>a-b)[r.length>>1]!.toFixed(1))
process.exit()
