/**
 * The sockets of connections to Postgres, opened here and not by postgres.js: so that the system asks idle ones
 * whether their peer is still there, that their loss is known before the driver acts on it, and that none
 * outlives its pool.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'

/** An idle connection whose peer is gone is found out after 5 s: asked after 2 s, three times. */
const KEEPALIVE = { enable: true, initialDelay: 2_000, interval: 1_000, count: 3 } as const

/** What the driver has made of an address. */
type Address = { path?: string | false | undefined; host: string[]; port: number[] }

const socketsOf = new WeakMap<object, ReadonlySet<Socket>>()

/**
 * A pool whose sockets are seen. `create` gets what the driver takes as its option `socket`; it sets them up
 * and talks TLS on them as on its own. `onLost` is called whenever one of them ends.
 */
export function withSockets<Pool extends object>(
  create: (open: (address: Address) => Socket) => Pool,
  onLost: () => void,
): Pool {
  const sockets = new Set<Socket>()
  let attempts = 0
  const pool = create(({ path, host, port }) => {
    const next = attempts++ % port.length
    const socket = path
      ? connect(path)
      : connect({ host: host[next] ?? 'localhost', port: port[next] ?? 5_432 })
    socket.setKeepAlive(KEEPALIVE)
    sockets.add(socket)
    // Before the driver hears of it, which sends statements on a socket that is about to close.
    for (const event of ['end', 'error', 'close']) socket.once(event, onLost)
    socket.once('close', () => sockets.delete(socket))
    return socket
  })
  socketsOf.set(pool, sockets)
  return pool
}

/** Ends a pool without waiting for anybody: what is in flight rejects, and no socket stays behind. */
export async function endNow(
  pool: object & { end: (options: { timeout: number }) => Promise<void> },
): Promise<void> {
  await pool.end({ timeout: 0 })
  // A peer that has vanished never answers the goodbye.
  for (const socket of socketsOf.get(pool) ?? []) socket.destroy()
}
