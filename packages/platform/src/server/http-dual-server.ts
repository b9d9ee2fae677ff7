/**
 * HTTP/1.1 and h2c on one port, which Node has no server for. An h2 client that knows it speaks h2 opens
 * with the preface `PRI * HTTP/2.0`, and no HTTP/1.1 method starts with `PRI`: the first three bytes of a
 * connection decide, are put back, and the socket goes to the server of its protocol. Two bytes would
 * not do (`PROPFIND`). The HTTP/1.1 server owns the listening socket, so that its own timeouts and
 * `close()` work. Connections, bodies on their way and answers nobody reads have budgets that both
 * protocols share.
 */
import type { Server } from 'node:http'
import { constants } from 'node:http2'
import type { Socket } from 'node:net'
import { type HttpHandler, type HttpResponse, isGone } from './http-handler.ts'
import { createBodyBudget } from './body-budget.ts'
import { createCallTurns } from './call-turns.ts'
import { createConnectionSlots } from './connection-slots.ts'
import { createHttp1Server, HEAD_WRITTEN } from './http1-server.ts'
import { createHttp2Server } from './http2-server.ts'
import { createUnreadBudget } from './unread-budget.ts'

/** A client that has connected sends its first three bytes within this time or is cut off. */
const FIRST_BYTES_LIMIT_MS = 10_000
/** A whole request: 64 KiB at 2 kB/s, the largest item at 13 kB/s; slower is no client but an attack. */
const REQUEST_LIMIT_MS = 30_000
/** A newcomer who has more to say at once brings many requests, and waits for a turn. */
const ONE_REQUEST_BYTES = 4 * 1024
/** Node's default, said here because both protocols must agree on it. */
const MAX_HEADER_BYTES = 16 * 1024

/** Calls begun and not answered; a stream of gRPC holds up to 100 kB. */
const IN_HAND_MAX = 128
/** Beside bids: a few more than a pool has connections; those would wait in its queue. */
const BESIDE_URGENT_MAX = 16
/**
 * Streams of HTTP/2 that wait for their turn, at about 20 kB each; those beyond are refused, which says that nothing was
 * done with them. A call of HTTP/1.1 has a connection, which is counted already.
 */
const STREAMS_WAITING_MAX = 1_024
/**
 * Streams last, and what takes longer waits for somebody else: neither keeps the loop busy. A stream of HTTP/1.1 that has
 * its head is not counted any more: counted for so long, 2,560 viewers a second could come: 10,000 took 5 s, and 3.1 s
 * without.
 */
const IN_HAND_COUNTED_MS = 50

type Protocol = 'http/1.1' | 'h2c'

const ignore = (): void => undefined

export type DualServer = {
  /** Listens, and reports errors of listening. */
  net: Server
  /** Takes no new connection, closes idle ones, resolves when the others have been answered. */
  close: () => Promise<void>
  /** Cuts all connections. */
  destroy: () => void
}

export type DualServerOptions = {
  /** Gets the requests of both protocols. */
  handle: HttpHandler
  /** Whether requests for this path go before all others. */
  isUrgent: (path: string) => boolean
  /** Connections at once. */
  maxConnections: number
  /** A connection was closed, or not taken: for want of a place, or because of what it did. */
  cut: (reason: string) => void
}

export function createDualServer(options: DualServerOptions): DualServer {
  const { maxConnections, cut } = options
  const cutSocket = (socket: Socket, reason: string): void => {
    cut(reason)
    if (!http2.sendAway(socket)) socket.destroy()
  }
  const bodies = createBodyBudget({ cut: cutSocket })
  const unread = createUnreadBudget({ cut: cutSocket })
  const { slowest } = bodies
  const slots = createConnectionSlots({ max: maxConnections, slowest, cut })
  const { handle, inTurn } = takeTurns(options)
  const shared = {
    handle,
    slots,
    bodies,
    unread,
    maxHeaderBytes: MAX_HEADER_BYTES,
    requestLimitMs: REQUEST_LIMIT_MS,
    cut,
  }
  const http2 = createHttp2Server({ ...shared, wait: inTurn })
  const http1 = createHttp1Server(shared)

  const undecided = new Set<Socket>()
  // Node's own listener for a new connection, called below once the protocol is known.
  const speakHttp1 = http1.net.listeners('connection')
  http1.net.removeAllListeners('connection')
  http1.net.on('connection', (socket) => {
    if (!slots.take(socket)) return
    undecided.add(socket)
    socket.once('close', () => undecided.delete(socket))
    const accept = (protocol: Protocol): void => {
      undecided.delete(socket)
      if (socket.destroyed) return
      socket.off('error', ignore)
      if (protocol === 'h2c') {
        // Node's HTTP/1.1 server wants half-open sockets; an h2 session would outlive its client on one.
        socket.allowHalfOpen = false
        http2.accept(socket)
        return
      }
      for (const listener of speakHttp1) Reflect.apply(listener, http1.net, [socket])
      socket.resume()
    }
    decideProtocol(socket, (protocol, bytes) => {
      if (bytes <= ONE_REQUEST_BYTES) return accept(protocol)
      socket.on('error', ignore)
      return inTurn(() => accept(protocol))
    })
  })

  // Not by way of the servers: an h2 session that is closing waits for its peer even in destroy().
  const destroy = () => {
    for (const socket of slots.all()) socket.destroy()
  }
  const close = () =>
    new Promise<void>((resolve) => {
      http1.beginClosing()
      http1.net.close(() => resolve())
      http2.close()
      for (const socket of undecided) socket.destroy()
    })
  return { net: http1.net, close, destroy }
}

/** The handler that begins calls in turns, and the turns of everything that is no bid. */
function takeTurns({ handle, isUrgent }: DualServerOptions) {
  let urgentInHand = 0
  let othersInHand = 0
  let streamsWaiting = 0
  const isFull = () => othersInHand >= (urgentInHand > 0 ? BESIDE_URGENT_MAX : IN_HAND_MAX)
  const turns = createCallTurns({ isUrgentInHand: () => urgentInHand > 0, isFull })
  const countOther = (response: HttpResponse): void => {
    othersInHand += 1
    const end = (): void => {
      clearTimeout(limit)
      response.off('close', end).off(HEAD_WRITTEN, end)
      othersInHand -= 1
    }
    const limit = setTimeout(end, IN_HAND_COUNTED_MS)
    response.on('close', end).on(HEAD_WRITTEN, end)
  }
  const handleInTurn: HttpHandler = (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    if (isUrgent(path)) {
      urgentInHand += 1
      response.once('close', () => (urgentInHand -= 1))
      return turns.urgent(() => isGone(request, response) || handle(request, response))
    }
    const begin = (): void => {
      if (isGone(request, response)) return
      countOther(response)
      handle(request, response)
    }
    if (!('stream' in request)) return turns.other(begin)
    if (streamsWaiting >= STREAMS_WAITING_MAX) {
      return request.stream.close(constants.NGHTTP2_REFUSED_STREAM)
    }
    streamsWaiting += 1
    return turns.other(() => {
      streamsWaiting -= 1
      begin()
    })
  }
  return { handle: handleInTurn, inTurn: turns.source }
}

/** Calls `decided` once, with the bytes read so far put back; a peer that never says anything is cut. */
function decideProtocol(
  socket: Socket,
  decided: (protocol: Protocol, bytes: number) => void,
): void {
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
    decided(start === preface ? 'h2c' : 'http/1.1', head.length)
  }
  socket.on('data', onData).on('end', cut).on('error', cut)
  socket.once('close', () => clearTimeout(limit))
}
