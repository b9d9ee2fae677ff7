/**
 * A TCP relay that tests put before a service to take the network away: cut connections, refuse new ones,
 * hold back every byte while connections stay open, or make black holes of those there are. The service
 * itself is left alone.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { freePort } from '../process/free-port.ts'

/** Of services whose address need not name it. */
const defaultPorts: Readonly<Record<string, number>> = {
  'amqp:': 5_672,
  'postgres:': 5_432,
  'redis:': 6_379,
}

export type TcpProxy = {
  /** The service's address by way of the proxy. */
  url: string
  /** New connections lead to the service at `target`, as after a failover; those that are open stay. */
  redirect: (target: string) => void
  /** Ends every connection without a goodbye. */
  cut: () => void
  /** Connections stay open and nothing goes through, until `thaw`. */
  freeze: () => void
  thaw: () => void
  /**
   * From now on whatever either side of the present connections says is swallowed, goodbyes included, as
   * when a host or the way to it has vanished. New connections work.
   */
  swallow: () => void
  /** Connections that nobody has ended on the near side. */
  open: () => number
  /** Cuts, and refuses new connections until `listen`. */
  refuse: () => Promise<void>
  listen: () => Promise<void>
  close: () => Promise<void>
}

/** Starts on a free port of 127.0.0.1 and relays to the service at `target`. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const url = new URL(target)
  let upstreamAddress = addressOf(target)
  const sockets = new Set<Socket>()
  const clients = new Set<Socket>()
  let frozen = false
  /** Of connections made before: they are black holes. */
  let swallowing = new AbortController()
  const adopt = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    if (frozen) socket.pause()
  }
  const server = createServer((client) => {
    const upstream = connect(upstreamAddress)
    clients.add(client)
    client.on('close', () => clients.delete(client))
    adopt(client)
    adopt(upstream)
    relay(client, upstream, swallowing.signal)
  })
  const listen = async (on: number): Promise<void> => {
    server.listen(on, '127.0.0.1')
    await once(server, 'listening')
  }
  // Not one that somebody else can be given while the proxy refuses.
  const own = await freePort()
  await listen(own)
  url.host = `127.0.0.1:${own}`
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const refuse = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    cut()
    await closed
  }
  return {
    url: url.href,
    redirect: (to) => {
      upstreamAddress = addressOf(to)
    },
    cut,
    freeze: () => {
      frozen = true
      for (const socket of sockets) socket.pause()
    },
    thaw: () => {
      frozen = false
      for (const socket of sockets) socket.resume()
    },
    swallow: () => {
      swallowing.abort()
      swallowing = new AbortController()
    },
    open: () => clients.size,
    refuse,
    listen: () => listen(own),
    close: refuse,
  }
}

function addressOf(target: string): { host: string; port: number } {
  const url = new URL(target)
  const port = Number(url.port) || defaultPorts[url.protocol]
  if (port === undefined) throw new Error(`${target} names no port`)
  return { host: url.hostname, port }
}

/** What either says reaches the other, its end included, until the signal. */
function relay(client: Socket, upstream: Socket, swallowed: AbortSignal): void {
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (bytes) => {
      if (!swallowed.aborted) to.write(bytes)
    })
    from.on('close', () => {
      if (!swallowed.aborted) to.destroy()
    })
  }
  pass(client, upstream)
  pass(upstream, client)
}
