/**
 * The streams of HTTP/1.1, answered here and not by the library: see `frame.ts` for what that saves. Takes
 * only plain requests (no compression, no deadline); all others are the library's, with the same messages.
 */
import type { Writable } from 'node:stream'
import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf'
import {
  LiveService,
  type WatchItemRequest,
  WatchItemRequestSchema,
  type WatchItemsRequest,
  WatchItemsRequestSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import type { Limit } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import {
  type HttpRequest,
  type HttpResponse,
  partsOf,
} from '@bidmesh/platform/server/http-handler.ts'
import { tokenExpired } from '@bidmesh/platform/identity/identity-errors.ts'
import type { CallLimits } from '@bidmesh/platform/identity/call-limits.ts'
import { permitOf } from '@bidmesh/platform/identity/permission.ts'
import type { Principal } from '@bidmesh/platform/identity/principal.ts'
import { atTokenEnd } from '@bidmesh/platform/identity/token-end.ts'
import type { CallGuard, GuardedCall } from '@bidmesh/platform/rpc/around-calls.ts'
import { incomingHeaders } from '@bidmesh/platform/rpc/call-telemetry.ts'
import { ENVELOPE_BYTES, openEnvelope } from '@bidmesh/platform/rpc/envelope.ts'
import { type Encoding, messageReaders } from '@bidmesh/platform/rpc/message-codecs.ts'
import { messageLimitBytes } from '@bidmesh/platform/rpc/message-size.ts'
import { GONE, MessageTooLargeError, readBody } from '@bidmesh/platform/rpc/request-body.ts'
import { checkRequest, prepareRules } from '@bidmesh/platform/rpc/request-validator.ts'
import { callerLeft } from '@bidmesh/platform/rpc/rpc-errors.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { codeToHttpStatus, errorToJson } from '@connectrpc/connect/protocol-connect'
import { readerOf } from '@bidmesh/platform/identity/principal.ts'
import { framed, readerKey } from './frame.ts'
import type { Leave } from '../feed/hub.ts'
import { principalOf, ticketInvalid, type Tickets } from '../tickets/tickets.ts'
import { SocketViewer } from './socket-viewer.ts'
import {
  isPassing,
  serverSentEvents,
  type StreamProtocol,
  streamProtocolOf,
} from './stream-protocol.ts'
import type { Turns } from '../feed/turns.ts'
import type { OpenViewer, ViewerEvents } from './viewer.ts'

/**
 * How a stream is asked for: once its request is known, by whoever can open a viewer for it. The signal aborts
 * when the caller leaves.
 */
export type Watch<Request> = (
  request: Request,
  open: OpenViewer,
  signal: AbortSignal,
) => Promise<Leave>

export type WatchStreamsOptions = {
  watchItem: Watch<WatchItemRequest>
  watchItems: Watch<WatchItemsRequest>
  redeem: Tickets['redeem']
  events: ViewerEvents
  /** Shared with all other work for viewers. */
  turns: Turns
  begin: CallGuard
}

/** Of a request with 500 ids, 20 kB, reading and checking takes 2 ms: as much as there is in one turn. */
const BYTES_PER_UNIT = 100

/** A request that was read and checked, of somebody who may ask it, waiting for its viewer. */
type Asked = {
  principal: Principal
  userId: string
  watch: (open: OpenViewer, signal: AbortSignal) => Promise<Leave>
}

type Asker = {
  method: DescMethod
  limit: Limit
  /** Throws when this caller may not watch, whatever they ask. */
  admit: (principal: Principal) => void
  read: (principal: Principal, body: Body) => Asked
}

type Answer = {
  response: HttpResponse
  protocol: StreamProtocol
  events: ViewerEvents
  ask: () => Promise<Asked>
  /** Answers in the place of a stream. */
  refuse: (error: ConnectError) => void
}

const pagePath = /^\/live\/items\/([^/?]+)$/

/** A handler that returns false for requests that are not for it, without having touched them. */
export function createWatchStreams(options: WatchStreamsOptions) {
  const { events } = options
  const item = asker(LiveService.method.watchItem, WatchItemRequestSchema, options.watchItem)
  const items = asker(LiveService.method.watchItems, WatchItemsRequestSchema, options.watchItems)
  const procedures = new Map<string | undefined, Asker>([
    ['/live.v1.LiveService/WatchItem', item],
    ['/live.v1.LiveService/WatchItems', items],
  ])

  return (
    request: HttpRequest,
    response: HttpResponse,
    principal: Principal,
    limits: CallLimits,
  ): boolean => {
    const admit = async ({ limit, admit: mayWatch }: Asker): Promise<void> => {
      const tooOften = await limits.take(limit, principal, request)
      if (tooOften) throw tooOften
      mayWatch(principal)
    }
    const { path, query } = partsOf(request)
    const itemId = pagePath.exec(path)?.[1]
    if (itemId !== undefined && request.method === 'GET') {
      const lastEventId = request.headers['last-event-id']
      const ask = async () => {
        await admit(item)
        const caller = await pageCaller(options, principal, query)
        return item.read(caller, pageBody(itemId, query, lastEventId))
      }
      const protocol = serverSentEvents(request.httpVersion === '1.1')
      const refuse = (error: ConnectError): void => {
        // An `EventSource` comes back after an answer that ends, and never after one that is an error.
        if (isPassing(error)) endAtOnce(response, protocol, error)
        else refusePage(response, error)
      }
      const call = options.begin(item.method, request.headers, incomingHeaders)
      void call.run(() => answer(call, { response, protocol, events, ask, refuse }))
      return true
    }
    const procedure = procedures.get(path)
    const protocol = procedure && streamProtocolOf(request.headers['content-type'])
    // A pipelined request has no socket until the answer before it is out.
    if (!protocol || !isPlainPost(request) || response.socket === null) return false
    const ask = async () => {
      await admit(procedure)
      const bytes = await readMessage(request)
      await options.turns.room(bytes.length / BYTES_PER_UNIT)
      const format = protocol.format === 'proto' ? 'proto' : 'json'
      return procedure.read(principal, { format, bytes })
    }
    const refuse = (error: ConnectError): void => endAtOnce(response, protocol, error)
    const call = options.begin(procedure.method, request.headers, incomingHeaders)
    void call.run(() => answer(call, { response, protocol, events, ask, refuse }))
    return true
  }
}

/** @param call begun with the request; it lasts as long as its stream */
async function answer(
  call: GuardedCall,
  { response, protocol, events, ask, refuse }: Answer,
): Promise<void> {
  const left = new AbortController()
  const undo: (() => void)[] = []
  const leave = (): void => undo.splice(0).forEach((step) => step())
  let isOver = false
  const ended = (reason: unknown): ConnectError => {
    isOver = true
    return call.fail(reason, left.signal)
  }
  response.once('close', () => {
    left.abort()
    leave()
    if (!isOver) call.end('canceled')
    isOver = true
  })
  try {
    const { principal, userId, watch } = await ask()
    const leaveRoom = await watch((source) => {
      const socket = writeHead(response, protocol)
      const reader = readerKey(readerOf(principal, userId))
      const from = { response, socket, protocol, userId, reader, source, events, ended }
      const viewer = new SocketViewer(from)
      undo.push(atTokenEnd(principal, () => viewer.end(tokenExpired())))
      return viewer
    }, left.signal)
    undo.push(leaveRoom)
    if (left.signal.aborted) leave()
  } catch (error) {
    if (!left.signal.aborted) refuse(ended(error))
  }
}

/** Who asks for the page: an `EventSource` shows a ticket where others have a header. */
async function pageCaller(
  { redeem }: WatchStreamsOptions,
  principal: Principal,
  query: string,
): Promise<Principal> {
  const ticket = new URLSearchParams(query).get('ticket')
  if (ticket === null) return principal
  const holder = await redeem(ticket)
  if (holder) return principalOf(holder)
  throw ticketInvalid()
}

/** A request message as it came. */
type Body = { format: Encoding; bytes: Uint8Array }

function asker<Desc extends DescMessage>(
  method: DescMethod,
  schema: Desc,
  watch: Watch<MessageShape<Desc>>,
): Asker {
  prepareRules(schema)
  const readers = messageReaders(schema)
  const permit = permitOf(method)
  return {
    method,
    limit: permit.limit,
    admit: (principal) => {
      const refusal = permit.refusal(principal)
      if (refusal) throw refusal
    },
    read: (principal, { format, bytes }) => {
      const request = readers[format](bytes)
      permit.bind(principal, request)
      checkRequest(schema, request)
      const userId = 'userId' in request ? String(request.userId) : ''
      return { principal, userId, watch: (open, signal) => watch(request, open, signal) }
    },
  }
}

/** Compression and deadlines are the library's. */
function isPlainPost({ method, httpVersion, headers }: HttpRequest): boolean {
  if (method !== 'POST' || httpVersion !== '1.1') return false
  const encodings = ['content-encoding', 'connect-content-encoding', 'grpc-encoding']
  if (headers['connect-timeout-ms'] ?? headers['grpc-timeout']) return false
  return encodings.every((name) => (headers[name] ?? 'identity') === 'identity')
}

/** Of both requests: 500 ids are 20 kB. */
const READ_MAX_BYTES = Math.max(
  ...[WatchItemRequestSchema, WatchItemsRequestSchema].map(messageLimitBytes),
)

/** The one enveloped message of a request. */
async function readMessage(request: HttpRequest): Promise<Uint8Array> {
  const body = await readBody(request, READ_MAX_BYTES, ENVELOPE_BYTES)
  if (body === GONE) throw callerLeft()
  if (body instanceof MessageTooLargeError) throw body
  const { data, compressed } = openEnvelope(body)
  if (!compressed) return data
  throw new ConnectError('expected one uncompressed message in an envelope', Code.InvalidArgument)
}

const sequencePattern = /^\d{1,18}$/

/** What the address of the page says, as the JSON of a `WatchItemRequest`. */
function pageBody(itemId: string, query: string, lastEventId: string | string[] | undefined): Body {
  const parameters = new URLSearchParams(query)
  // A browser sends back the id it was given last, whoever gave it: what is not one of ours says nothing.
  const id = String(lastEventId ?? '')
  const after = sequencePattern.test(id) ? id : (parameters.get('after_sequence') ?? '')
  const user = parameters.get('user_id') ?? ''
  const request = { item_id: itemId, user_id: user, ...(after !== '' && { after_sequence: after }) }
  return { format: 'json', bytes: Buffer.from(JSON.stringify(request)) }
}

function refusePage(response: HttpResponse, error: ConnectError): void {
  const headers = { ...Object.fromEntries(error.metadata), 'content-type': 'application/json' }
  response.writeHead(codeToHttpStatus(error.code), headers)
  response.end(`${JSON.stringify(errorToJson(error, undefined))}\n`)
}

/** Needs no socket: an answer to a pipelined request has none yet. */
function endAtOnce(response: HttpResponse, protocol: StreamProtocol, reason: ConnectError): void {
  writeStreamHead(response, protocol)
  response.end(protocol.ending(reason))
}

/** Writes the head; from here on bytes go to what it returns. */
function writeHead(response: HttpResponse, protocol: StreamProtocol): Writable {
  const socket = 'stream' in response ? response.stream : response.socket
  if (socket === null) throw new ConnectError('a stream needs a connection', Code.Canceled)
  // What a newcomer gets first follows at once, and leaves in one write with the head.
  socket.cork()
  process.nextTick(() => socket.uncork())
  writeStreamHead(response, protocol)
  // HTTP/2 has sent it by now.
  if (!('stream' in response)) response.flushHeaders()
  if (protocol.opening) socket.write(framed(protocol.opening(), protocol.format))
  return socket
}

function writeStreamHead(response: HttpResponse, { contentType }: StreamProtocol): void {
  response.writeHead(200, {
    'content-type': contentType,
    'cache-control': 'no-store',
    // nginx would keep a stream until its buffer is full.
    'x-accel-buffering': 'no',
  })
}
