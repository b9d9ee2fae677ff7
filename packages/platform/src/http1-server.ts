/** The HTTP/1.1 half of the port: Node's own server, whose requests and answers tell the budgets what they hold. */
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import type { OutgoingHttpHeader, OutgoingHttpHeaders, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Body, BodyBudget } from './body-budget.ts'
import type { ConnectionSlots } from './connection-slots.ts'
import type { HttpHandler } from './http-dual-server.ts'
import { UNREAD_LIMIT_MS, UNREAD_NOTICED_BYTES, type UnreadBudget } from './unread-budget.ts'

/** Head of a request: one packet, in practice. */
const HEADERS_LIMIT_MS = 10_000
/** Longer than the 60 s of nginx and cloud load balancers: they, not we, close idle connections. */
const KEEP_ALIVE_MS = 65_000
/** After this long without a packet the system asks whether a peer is still there. */
const TCP_KEEP_ALIVE_MS = 60_000

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

export type Http1ServerOptions = {
  handle: HttpHandler
  slots: ConnectionSlots
  bodies: BodyBudget
  unread: UnreadBudget
  maxHeaderBytes: number
  requestLimitMs: number
}

export type Http1Server = {
  net: Server
  /** From now on answers say that they are the last of their connection. */
  beginClosing: () => void
}

/** A request whose body counts from `enter` on. */
class BudgetedRequest extends IncomingMessage {
  #bodies: BodyBudget | undefined
  #body: Body | undefined
  enter(bodies: BodyBudget): void {
    const { socket } = this
    this.#bodies = bodies
    this.#body = bodies.begin(socket, () => socket.destroy())
  }
  override push(chunk: Buffer | null): boolean {
    if (chunk === null) this.#leave()
    else if (this.#body !== undefined) this.#bodies?.hold(this.#body, chunk.length)
    return super.push(chunk)
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
  const { handle, bodies } = options
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
      request.enter(bodies)
      handle(request, response)
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
      if (isClosing()) this.setHeader('connection', 'close')
      if (typeof reason === 'string') return super.writeHead(status, reason, headers)
      return super.writeHead(status, reason)
    }
    override assignSocket(socket: Socket): void {
      slots.busy(socket)
      super.assignSocket(socket)
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
      Reflect.apply(super.end, this, [chunk, encoding, done])
      this.noticeUnread()
      return this
    }
    noticeUnread(): void {
      const { socket } = this
      if (socket === null || socket.writableLength <= UNREAD_NOTICED_BYTES) return
      // Starts again with every byte that goes out; Node sets its own when the answer has gone.
      socket.setTimeout(UNREAD_LIMIT_MS)
      unread.watch(socket, socket)
    }
  }
}
