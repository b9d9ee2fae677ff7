/**
 * The h2c half of the port: sessions on sockets whose protocol is known, with the budgets of
 * `http2-manners.ts`.
 */
import { createServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Http2Session, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { type Body, type BodyBudget, REST_BYTES_MAX } from './body-budget.ts'
import type { ConnectionSlots } from './connection-slots.ts'
import type { HttpHandler } from './http-handler.ts'
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
import { PacedSocket } from './paced-socket.ts'
import { UNREAD_NOTICED_BYTES, type UnreadBudget } from './unread-budget.ts'

/** For the rest of a request that was answered before its end; some clients never end it. */
const REST_LIMIT_MS = 1_000

export type Http2ServerOptions = {
  handle: HttpHandler
  slots: ConnectionSlots
  bodies: BodyBudget
  unread: UnreadBudget
  maxHeaderBytes: number
  /** What `requestTimeout` does for HTTP/1.1; Node's h2 server has no such setting. */
  requestLimitMs: number
  /** Calls back when it is the turn of the next piece of what a connection says. */
  wait: (read: () => void) => void
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
  server.on('request', (request, response) => {
    const manners = mannersOf(request.stream)
    if (!manners) {
      request.stream.destroy()
      return
    }
    admit(request, manners, options, () => dismiss(manners, 'resets'))
    options.handle(request, response)
  })
  const look = setInterval(() => {
    for (const manners of overdueSessions(sessions.values(), performance.now())) {
      dismiss(manners, 'untaken answers')
    }
    bodies.endOlder(options.requestLimitMs)
  }, LOOK_MS).unref()
  return {
    accept: (socket) => {
      const admitPiece = (bytes: number): boolean => {
        const manners = sessions.get(socket)
        if (!manners) return false
        manners.bytesRead += bytes
        if (!isCalm(manners)) dismiss(manners, 'noise')
        return sessions.has(socket)
      }
      accepted = socket
      // It emits the session before it returns.
      server.emit('connection', new PacedSocket({ socket, wait: options.wait, admit: admitPiece }))
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
  const length = request.headers['content-length']
  const body = stream.endAfterHeaders
    ? undefined
    : bodies.begin(socket, () => stream.close(), length)
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
      unread.watch(stream, manners.socket)
    }
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
 * write lose the answer, so that comes only when they have gone on for long.
 */
function discardRest(stream: ServerHttp2Stream, manners: Manners): void {
  if (stream.readableEnded) return
  let bytes = 0
  stream.removeAllListeners('data').on('data', (chunk: Buffer) => {
    countData(manners, chunk.length)
    bytes += chunk.length
    if (bytes > REST_BYTES_MAX) stream.close()
  })
  // It may have been held back for a reader that is there no more.
  stream.resume()
  const limit = setTimeout(() => stream.close(), REST_LIMIT_MS)
  stream.once('close', () => clearTimeout(limit))
}
