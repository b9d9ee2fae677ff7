/**
 * What a server holds, seen from outside: after a collection that Node's inspector is asked for, because V8
 * lets garbage lie while there is room, and a server under attack makes much of it.
 */
import { once } from 'node:events'

export type ServerMemory = {
  /** Of the process, as the system counts it: what the allocator keeps for later is in it. */
  residentBytes: number
  /** Of JavaScript: objects and buffers. */
  inUseBytes: number
}

export type MemoryProbe = {
  /** Collects (0.1 s in which the server does nothing else) and looks. Rejects when the server has ended. */
  look: () => Promise<ServerMemory>
  close: () => void
}

/** Of the inspector, whose protocol says what it is. */
type Answer = { id: number; result: { result?: { value: string } } }

const look = 'const m = process.memoryUsage(); `${m.rss} ${m.heapUsed + m.external}`'

/** @param url as Node says it on stderr, `ws://127.0.0.1:port/id` */
export async function connectMemoryProbe(url: string): Promise<MemoryProbe> {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  let ids = 0
  const call = async (method: string, params: object = {}): Promise<string> => {
    const id = (ids += 1)
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const hear = ({ data }: MessageEvent) => {
      const answer = JSON.parse(String(data)) as Answer // oxlint-disable-line typescript/no-unsafe-type-assertion
      if (answer.id === id) resolve(answer.result.result?.value ?? '')
    }
    const gone = () => reject(new Error('the server has ended'))
    socket.addEventListener('message', hear)
    socket.addEventListener('close', gone)
    if (socket.readyState !== WebSocket.OPEN) gone()
    try {
      socket.send(JSON.stringify({ id, method, params }))
      return await promise
    } finally {
      socket.removeEventListener('message', hear)
      socket.removeEventListener('close', gone)
    }
  }
  return {
    look: async () => {
      await call('HeapProfiler.collectGarbage')
      const text = await call('Runtime.evaluate', { expression: `{ ${look} }` })
      const [residentBytes = Number.NaN, inUseBytes = Number.NaN] = text.split(' ').map(Number)
      return { residentBytes, inUseBytes }
    },
    close: () => socket.close(),
  }
}
