/**
 * The h2c half of the port: sessions on sockets whose protocol is known, with the budgets of
 * `http2-manners.ts`. Requests are begun a few at a time, one turn of the loop after they came: what was
 * reset in the meantime costs no handler, and a thousand calls that came in one packet do not make
 * everybody else wait for all of them.
 */
import { createServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Http2Session, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Body, BodyBudget } from './body-budget.ts'
import type { ConnectionSlots } from './connection-slots.ts'
import type { HttpHandler } from './http-dual-server.ts'
import {
  countData,
  countRequest,
  createManners,
  isCalm,
  LOOK_MS,
  type Manners,
  MAX_CONCURRENT_STREAMS,
  mayReset,
  overdueSessions,
  sendAway,
} from './http2-manners.ts'
import { UNREAD_LIMIT_MS, UNREAD_NOTICED_BYTES, type UnreadBudget } from './unread-budget.ts'

/** Calls begun in one turn of the loop: at 150 µs each, others wait 5 ms at most. */
const BEGUN_PER_TURN = 32

export type Http2ServerOptions = {
  handle: HttpHandler
  slots: ConnectionSlots
  bodies: BodyBudget
  unread: UnreadBudget
  maxHeaderBytes: number
  /** What `requestTimeout` does for HTTP/1.1; Node's h2 server has no such setting. */
  requestLimitMs: number
  /** A session was closed for its manners. */
  cut: (reason: 'resets' | 'noise' | 'untaken answers') => void
}

export type Http2Server = {
  /** Speaks h2 on the socket from here on. */
  accept: (socket: Socket) => void
  /** Tells the client to go, if it is one of HTTP/2. */
  sendAway: (socket: Socket) => boolean
  /** No new streams; sessions end with their last one. */
  close: () => void
}

type CutReason = Parameters<Http2ServerOptions['cut']>[0]

/** A request whose body counts from `enter` on. */
class BudgetedRequest extends Http2ServerRequest {
  #bodies: BodyBudget | undefined
  #body: Body | undefined
  #manners: Manners | undefined
  enter(bodies: BodyBudget, body: Body, manners: Manners): void {
    this.#bodies = bodies
    this.#body = body
    this.#manners = manners
  }
  override push(chunk: Buffer | null): boolean {
    if (this.#body === undefined || this.#manners === undefined) return super.push(chunk)
    if (chunk === null) {
      this.#bodies?.release(this.#body)
      return super.push(null)
    }
    countData(this.#manners, chunk.length)
    this.#bodies?.hold(this.#body, chunk.length)
    return super.push(withoutRest(chunk))
  }
}

export function createHttp2Server(options: Http2ServerOptions): Http2Server {
  const { bodies } = options
  const sessions = new Map<Socket, Manners>()
  const bySession = new WeakMap<Http2Session, Manners>()
  const mannersOf: MannersOf = (stream) => stream.session && bySession.get(stream.session)
  const server = createServer({
    settings: {
      maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
      maxHeaderListSize: options.maxHeaderBytes,
    },
    Http2ServerRequest: BudgetedRequest,
    Http2ServerResponse: budgetedResponse(options, mannersOf),
  })
  let accepted: Socket | undefined
  server.on('session', (session) => {
    if (accepted === undefined) throw new Error('a session without a socket')
    const manners = createManners(session, accepted)
    const { socket } = manners
    sessions.set(socket, manners)
    bySession.set(session, manners)
    socket.once('close', () => sessions.delete(socket))
  })
  const dismiss = (manners: Manners, reason: CutReason): void => {
    if (!sessions.delete(manners.socket)) return
    options.cut(reason)
    sendAway(manners)
  }
  const begin = beginInTurns(options.handle)
  server.on('request', (request, response) => {
    const manners = mannersOf(request.stream)
    if (!manners) {
      request.stream.destroy()
      return
    }
    admit(request, manners, options, () => dismiss(manners, 'resets'))
    begin(request, response)
  })
  const look = setInterval(() => {
    for (const manners of sessions.values()) if (!isCalm(manners)) dismiss(manners, 'noise')
    for (const manners of overdueSessions(sessions.values(), performance.now())) {
      dismiss(manners, 'untaken answers')
    }
    bodies.endOlder(options.requestLimitMs)
  }, LOOK_MS).unref()
  return {
    accept: (socket) => {
      accepted = socket
      // It emits the session before it returns.
      server.emit('connection', socket)
      accepted = undefined
    },
    sendAway: (socket) => {
      const manners = sessions.get(socket)
      if (!manners) return false
      sessions.delete(socket)
      sendAway(manners)
      return true
    },
    close: () => {
      clearInterval(look)
      for (const { session } of sessions.values()) session.close()
    },
  }
}

type MannersOf = (stream: ServerHttp2Stream) => Manners | undefined

/** Counts a request until its stream has gone. */
function admit(
  request: BudgetedRequest,
  manners: Manners,
  { slots, bodies }: Http2ServerOptions,
  tooManyResets: () => void,
): void {
  const { stream } = request
  const { socket, streams } = manners
  const cameMs = performance.now()
  countRequest(manners)
  streams.set(stream, undefined)
  if (streams.size === 1) slots.busy(socket)
  const body = stream.endAfterHeaders ? undefined : bodies.begin(socket, () => stream.close())
  if (body) request.enter(bodies, body, manners)
  stream.once('finish', () => discardRest(stream, manners))
  stream.once('close', () => {
    if (body) bodies.release(body)
    streams.delete(stream)
    if (streams.size === 0) slots.idle(socket)
    if (stream.aborted && !mayReset(manners, performance.now() - cameMs)) tooManyResets()
  })
}

function budgetedResponse({ unread }: Http2ServerOptions, mannersOf: MannersOf) {
  return class extends Http2ServerResponse<BudgetedRequest> {
    override write(chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean {
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
      const { stream } = this
      if (!(stream?.writableLength > UNREAD_NOTICED_BYTES)) return
      const manners = mannersOf(stream)
      if (!manners) return
      stream.setTimeout(UNREAD_LIMIT_MS, () => stream.destroy())
      unread.watch(stream, manners.socket)
    }
  }
}

type Call = Parameters<HttpHandler>

/** Begins calls in the order in which they came, those that are still wanted. */
function beginInTurns(handle: HttpHandler): HttpHandler {
  let waiting: Call[] = []
  const turn = (): void => {
    const now = waiting.length > BEGUN_PER_TURN ? waiting.slice(0, BEGUN_PER_TURN) : waiting
    waiting = waiting.slice(now.length)
    if (waiting.length > 0) setImmediate(turn)
    for (const [request, response] of now) {
      if ('stream' in request && request.stream.destroyed) continue
      handle(request, response)
    }
  }
  return (request, response) => {
    waiting.push([request, response])
    if (waiting.length === 1) setImmediate(turn)
  }
}

/** A few bytes of a packet would keep all of it, 64 KiB, for as long as they wait for the rest of a body. */
function withoutRest(chunk: Buffer): Buffer {
  if (chunk.length * 2 >= chunk.buffer.byteLength) return chunk
  const own = Buffer.allocUnsafeSlow(chunk.length)
  chunk.copy(own)
  return own
}

/**
 * An answer that came before the end of its request (too large, refused) leaves a half of the stream
 * open. The rest is thrown away: resetting the stream, which HTTP/2 allows, makes clients that still
 * write lose the answer. The limit of a request's time ends those that never stop writing.
 */
function discardRest(stream: ServerHttp2Stream, manners: Manners): void {
  if (stream.readableEnded) return
  stream.removeAllListeners('data').on('data', (chunk: Buffer) => countData(manners, chunk.length))
}
