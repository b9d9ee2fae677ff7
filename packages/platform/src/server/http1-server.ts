/** The HTTP/1.1 half of the port: Node's own server, whose requests and answers tell the budgets what they hold. */
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import type { OutgoingHttpHeader, OutgoingHttpHeaders, Server } from 'node:http'
import type { Socket } from 'node:net'
import { type Body, type BodyBudget, REST_BYTES_MAX } from './body-budget.ts'
import type { ConnectionSlots } from './connection-slots.ts'
import type { HttpHandler } from './http-handler.ts'
import { UNREAD_NOTICED_BYTES, type UnreadBudget } from './unread-budget.ts'

/** Head of a request: one packet, in practice. */
const HEADERS_LIMIT_MS = 10_000
/** Longer than the 60 s of nginx and cloud load balancers: they, not we, close idle connections. */
const KEEP_ALIVE_MS = 65_000
/** After this long without a packet the system asks whether a peer is still there. */
const TCP_KEEP_ALIVE_MS = 60_000

/**
 * Requests of a connection that wait for the answer to the one before. Few clients send any (pipelining), and
 * each costs 4 kB.
 */
const PIPELINED_MAX = 16

/** A client that is sent away gets this long to read its answer. */
const GOODBYE_MS = 500

/** Emitted by a response: whoever asked is being answered. */
export const HEAD_WRITTEN = 'bidmesh.head'

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

export type Http1ServerOptions = {
  handle: HttpHandler
  slots: ConnectionSlots
  bodies: BodyBudget
  unread: UnreadBudget
  maxHeaderBytes: number
  requestLimitMs: number
  /** A connection was closed for its manners. */
  cut: (reason: 'pipelining') => void
}

export type Http1Server = {
  net: Server
  /** From now on answers say that they are the last of their connection. */
  beginClosing: () => void
}

/** A request whose body counts from `enter` on. */
class BudgetedRequest extends IncomingMessage {
  /** Its own: Node takes `socket` from a request whose reader has left before the end. */
  #socket: Socket | undefined
  #bodies: BodyBudget | undefined
  #body: Body | undefined
  #restBytes: number | undefined
  enter(bodies: BodyBudget): void {
    const { socket } = this
    this.#socket = socket
    this.#bodies = bodies
    this.#body = bodies.begin(socket, () => socket.destroy(), this.headers['content-length'])
  }
  override push(chunk: Buffer | null): boolean {
    if (chunk === null) this.#leave()
    else if (this.#restBytes !== undefined) return this.#discard(chunk.length)
    else if (this.#body !== undefined) this.#bodies?.hold(this.#body, chunk.length)
    return super.push(chunk)
  }
  /** So much may still come of its body that the connection will not be kept for it. */
  isEndless(): boolean {
    return !this.complete && !(Number(this.headers['content-length']) <= REST_BYTES_MAX)
  }
  /** The answer is complete: the rest of the body is thrown away. */
  answered(): void {
    if (this.complete || this.#restBytes !== undefined) return
    this.#leave()
    this.#restBytes = 0
    // What Node calls after the last answer of a connection.
    if (this.#socket) this.#socket.destroySoon = () => this.#sayGoodbye()
    // Read by somebody, or Node would throw it away by itself, however long.
    this.resume()
    // Pieces that came after its reader had left have stopped the socket, and a request without one never starts it.
    if (this.destroyed) this.#socket?.resume()
  }
  /** False stops the reading. */
  #discard(bytes: number): boolean {
    if (this.#restBytes === undefined || this.#restBytes > REST_BYTES_MAX) return false
    this.#restBytes += bytes
    if (this.#restBytes <= REST_BYTES_MAX) return true
    this.#sayGoodbye()
    return false
  }
  /** Not destroyed at once: with bytes unread that would reset the connection, and the client might lose the answer. */
  #sayGoodbye(): void {
    const socket = this.#socket
    if (!socket || socket.writableEnded) return
    socket.end()
    const limit = setTimeout(() => socket.destroy(), GOODBYE_MS)
    socket.once('close', () => clearTimeout(limit))
  }
  override destroy(error?: Error): this {
    this.#leave()
    return super.destroy(error)
  }
  #leave(): void {
    if (this.#body !== undefined) this.#bodies?.release(this.#body)
  }
}

export function createHttp1Server(options: Http1ServerOptions): Http1Server {
  const { handle, bodies, cut } = options
  const pipelined = new WeakMap<Socket, number>()
  let closing = false
  const net = createServer(
    {
      IncomingMessage: BudgetedRequest,
      ServerResponse: budgetedResponse(options, () => closing),
      headersTimeout: HEADERS_LIMIT_MS,
      requestTimeout: options.requestLimitMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: options.maxHeaderBytes,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    },
    (request, response) => {
      const { socket } = request
      // Node goes on with what it has read of a connection that is closed.
      if (socket.destroyed) return
      request.enter(bodies)
      const ahead = pipelined.get(socket) ?? 0
      if (response.socket !== null) return handle(request, response)
      if (ahead === PIPELINED_MAX) {
        cut('pipelining')
        socket.destroy()
        return
      }
      pipelined.set(socket, ahead + 1)
      response.onTurn = () => {
        pipelined.set(socket, (pipelined.get(socket) ?? 1) - 1)
        handle(request, response)
      }
    },
  )
  return {
    net,
    beginClosing: () => {
      closing = true
      // For a response whose head is out already: its connection closes as soon as it is idle.
      net.keepAliveTimeout = 1
    },
  }
}

// A class, because its head is the last moment to say that it is the last, and a list of the responses in
// hand costs 8% of the CPU time of a small call (promoted garbage).
function budgetedResponse({ slots, unread }: Http1ServerOptions, isClosing: () => boolean) {
  return class extends ServerResponse<BudgetedRequest> {
    override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
      // A client that was promised more would lose the next request, sent behind a body that is not read to its end.
      if (isClosing() || this.req.isEndless()) this.setHeader('connection', 'close')
      if (typeof reason === 'string') super.writeHead(status, reason, headers)
      else super.writeHead(status, reason)
      this.emit(HEAD_WRITTEN)
      return this
    }
    /** For a request that came before the one ahead of it was answered. */
    onTurn: (() => void) | undefined
    override assignSocket(socket: Socket): void {
      slots.busy(socket)
      super.assignSocket(socket)
      this.onTurn?.()
    }
    override detachSocket(socket: Socket): void {
      slots.idle(socket)
      super.detachSocket(socket)
    }
    override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
      const result = Reflect.apply(super.write, this, [chunk, encoding, done])
      this.noticeUnread()
      return result
    }
    override end(chunk?: unknown, encoding?: unknown, done?: unknown): this {
      this.req.answered()
      Reflect.apply(super.end, this, [chunk, encoding, done])
      this.noticeUnread()
      return this
    }
    noticeUnread(): void {
      const { socket } = this
      if (socket === null || socket.writableLength <= UNREAD_NOTICED_BYTES) return
      unread.watch(socket, socket)
    }
  }
}
