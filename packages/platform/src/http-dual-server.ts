/**
 * HTTP/1.1 and h2c on one port, which Node has no server for. An h2 client that knows it speaks h2 opens
 * with the preface `PRI * HTTP/2.0`, and no HTTP/1.1 method starts with `PRI`: the first three bytes of a
 * connection decide, are put back, and the socket goes to the server of its protocol. Two bytes would
 * not do (`PROPFIND`). The HTTP/1.1 server owns the listening socket, so that its own timeouts and
 * `close()` work.
 */
import { createServer, ServerResponse } from 'node:http'
import type { OutgoingHttpHeader, OutgoingHttpHeaders, Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { Http2ServerRequest, ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { connectNodeAdapter } from '@connectrpc/connect-node'

/** A client that has connected sends its first three bytes within this time or is cut off. */
const FIRST_BYTES_LIMIT_MS = 10_000
/** Head of a request: one packet, in practice. */
const HEADERS_LIMIT_MS = 10_000
/** A whole request of at most 64 KiB; slower than 2 kB/s is not a client but an attack. */
const REQUEST_LIMIT_MS = 30_000
/** Longer than the 60 s of nginx and cloud load balancers: they, not we, close idle connections. */
const KEEP_ALIVE_MS = 65_000
/** Node's default, said here because both protocols must agree on it. */
const MAX_HEADER_BYTES = 16 * 1024
/** Calls in flight on one h2 connection; a pool of one connection may carry a whole gateway. */
const MAX_CONCURRENT_STREAMS = 1_000
/** After this long without a packet the system asks whether a peer is still there. */
const TCP_KEEP_ALIVE_MS = 60_000

/** Node's two kinds of request and response, with types patched by Connect so that they agree. */
export type HttpHandler = ReturnType<typeof connectNodeAdapter>
export type HttpRequest = Parameters<HttpHandler>[0]
export type HttpResponse = Parameters<HttpHandler>[1]

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

export type DualServer = {
  /** Listens, and reports errors of listening. */
  net: Server
  /** Takes no new connection, closes idle ones, resolves when the others have been answered. */
  close: () => Promise<void>
  /** Cuts all connections. */
  destroy: () => void
}

/** `handle` gets the requests of both protocols. */
export function createDualServer(handle: HttpHandler): DualServer {
  const http2 = createHttp2Server({
    settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS, maxHeaderListSize: MAX_HEADER_BYTES },
  })
  const sessions = track<ServerHttp2Session>()
  http2.on('session', (session) => sessions.add(session))
  http2.on('request', (request, response) => {
    limitBodyTime(request)
    request.stream.once('finish', () => discardRest(request))
    handle(request, response)
  })

  let closing = false
  // A class, because its head is the last moment to say it, and a list of the responses in hand costs
  // 8% of the CPU time of a small call (promoted garbage).
  class LastResponse extends ServerResponse {
    override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
      if (closing) this.setHeader('connection', 'close')
      if (typeof reason === 'string') return super.writeHead(status, reason, headers)
      return super.writeHead(status, reason)
    }
  }
  const http1 = createServer(
    {
      ServerResponse: LastResponse,
      headersTimeout: HEADERS_LIMIT_MS,
      requestTimeout: REQUEST_LIMIT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    },
    handle,
  )

  const sockets = track<Socket>()
  const undecided = track<Socket>()
  // Node's own listener for a new connection, called below once the protocol is known.
  const speakHttp1 = http1.listeners('connection')
  http1.removeAllListeners('connection')
  http1.on('connection', (socket) => {
    sockets.add(socket)
    undecided.add(socket)
    decideProtocol(socket, (protocol) => {
      undecided.delete(socket)
      if (protocol === 'h2c') {
        // Node's HTTP/1.1 server wants half-open sockets; an h2 session would outlive its client on one.
        socket.allowHalfOpen = false
        return http2.emit('connection', socket)
      }
      for (const listener of speakHttp1) Reflect.apply(listener, http1, [socket])
      return socket.resume()
    })
  })

  // Not by way of the servers: an h2 session that is closing waits for its peer even in destroy().
  const destroy = () => {
    for (const socket of sockets.all()) socket.destroy()
  }
  const close = () =>
    new Promise<void>((resolve) => {
      closing = true
      // For a response whose head is out already: its connection closes as soon as it is idle.
      http1.keepAliveTimeout = 1
      http1.close(() => resolve())
      for (const session of sessions.all()) session.close()
      for (const socket of undecided.all()) socket.destroy()
    })
  return { net: http1, close, destroy }
}

type Closable = { once: (event: 'close', listener: () => void) => unknown }

/** What is open now: added when it opens, gone when it closes. */
function track<T extends Closable>() {
  const open = new Set<T>()
  return {
    add: (item: T) => {
      open.add(item)
      item.once('close', () => open.delete(item))
    },
    delete: (item: T) => open.delete(item),
    all: () => [...open],
  }
}

/** Calls `decided` once, with the bytes read so far put back; a peer that never says anything is cut. */
function decideProtocol(socket: Socket, decided: (protocol: 'http/1.1' | 'h2c') => void): void {
  let head: Buffer = Buffer.alloc(0)
  const cut = () => socket.destroy()
  const limit = setTimeout(cut, FIRST_BYTES_LIMIT_MS).unref()
  const onData = (chunk: Buffer) => {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    const preface = 'PRI'
    const start = head.toString('latin1', 0, preface.length)
    if (start.length < preface.length && preface.startsWith(start)) return
    clearTimeout(limit)
    socket.off('data', onData).off('end', cut).off('error', cut)
    socket.pause()
    socket.unshift(head)
    decided(start === preface ? 'h2c' : 'http/1.1')
  }
  socket.on('data', onData).on('end', cut).on('error', cut)
  socket.once('close', () => clearTimeout(limit))
}

/**
 * An answer that came before the end of its request (too large, refused) leaves a half of the stream
 * open. The rest is thrown away: resetting the stream, which HTTP/2 allows, makes clients that still
 * write lose the answer. {@link limitBodyTime} ends those that never stop writing.
 */
function discardRest({ stream }: Http2ServerRequest): void {
  if (!stream.readableEnded) stream.removeAllListeners('data').resume()
}

/** What `requestTimeout` does for HTTP/1.1; Node's h2 server has no such setting. */
function limitBodyTime(request: Http2ServerRequest): void {
  const { stream } = request
  if (request.complete) return
  const limit = setTimeout(() => stream.close(), REQUEST_LIMIT_MS).unref()
  const end = () => clearTimeout(limit)
  request.once('end', end)
  stream.once('close', end)
}
