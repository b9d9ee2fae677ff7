/**
 * Messages as bytes, encoded once for all who read the same wire format. Only the two fields about the caller
 * differ between viewers, and only for the leader and for whoever has just lost the lead: those few get an
 * encoding of their own.
 */
import { create, toBinary, toJson } from '@bufbuild/protobuf'
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
  type WatchItemsResponse,
  WatchItemsResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { envelope } from '@bidmesh/platform/rpc/envelope.ts'
import { jsonOptions, type ListEntry } from '../lists/list-entry.ts'

/**
 * `proto` and `json`: enveloped messages, the same for Connect and gRPC-Web. `sse`: server-sent events.
 * All of them as chunks of an HTTP/1.1 body, so that writing them to a socket is all that is left to do;
 * `plain-sse` for bodies without chunks (HTTP/1.0, HTTP/2).
 */
export type WireFormat = 'proto' | 'json' | 'sse' | 'plain-sse'

export type StreamMessage = WatchItemResponse | WatchItemsResponse

export type Frame<Message extends StreamMessage = StreamMessage> = {
  /** The message as `userId` is to read it; '' for nobody in particular. */
  messageFor: (userId: string) => Message
  bytesFor: (format: WireFormat, userId: string) => Buffer
  /** Users for whom it differs. */
  concerns: readonly string[]
}

/** @param outbidId whom this message took the lead from; '' for nobody */
export function itemFrame(
  message: WatchItemResponse,
  leaderId: string,
  outbidId = '',
): Frame<WatchItemResponse> {
  const plain = lazyBytes(message)
  const winning = variant(() => ({ ...message, youAreWinning: true }))
  const outbid = variant(() => ({ ...message, youWereOutbid: true }))
  const encoded = new Map<unknown, ReturnType<typeof lazyBytes>>()
  const messageFor = (userId: string) => {
    if (userId === '') return message
    if (userId === leaderId) return winning()
    return userId === outbidId ? outbid() : message
  }
  return {
    messageFor,
    bytesFor: (format, userId) => {
      const mine = messageFor(userId)
      if (mine === message) return plain(format)
      const bytes = encoded.get(mine) ?? lazyBytes(mine)
      encoded.set(mine, bytes)
      return bytes(format)
    },
    concerns: [leaderId, outbidId].filter((userId) => userId !== ''),
  }
}

/** A list looks the same to everybody; it is put together from what its items look like. */
export function itemsFrame(
  serverTime: Timestamp,
  entries: readonly ListEntry[],
): Frame<WatchItemsResponse> {
  const schema = WatchItemsResponseSchema
  const head = variant(() => create(schema, { serverTime }))
  const whole = variant(() => ({ ...head(), updates: entries.map(({ update }) => update) }))
  // Of a protobuf message, fields may come one after the other in several pieces.
  const proto = () =>
    Buffer.concat([toBinary(schema, head()), ...entries.map((entry) => entry.proto())])
  const json = () => {
    const empty = JSON.stringify(toJson(schema, head(), jsonOptions))
    return `${empty.slice(0, -']}'.length)}${entries.map((entry) => entry.json()).join(',')}]}`
  }
  const bytes = onceEach((format) =>
    format === 'proto' ? encodeProto(proto()) : encodeJson(json(), format),
  )
  return { messageFor: whole, bytesFor: (format) => bytes(format), concerns: [] }
}

function variant<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}

function onceEach(encode: (format: WireFormat) => Buffer): (format: WireFormat) => Buffer {
  const done: Partial<Record<WireFormat, Buffer>> = {}
  return (format) => (done[format] ??= encode(format))
}

function lazyBytes(message: WatchItemResponse): (format: WireFormat) => Buffer {
  const schema = WatchItemResponseSchema
  return onceEach((format) => {
    if (format === 'proto') return encodeProto(toBinary(schema, message))
    const json = JSON.stringify(toJson(schema, message, jsonOptions))
    return encodeJson(json, format, `id: ${String(message.sequence)}\n`)
  })
}

function encodeProto(bytes: Uint8Array): Buffer {
  return chunk(envelope(0, bytes))
}

/** @param id the line of a server-sent event before its data */
function encodeJson(json: string, format: WireFormat, id = ''): Buffer {
  if (format === 'json') return chunk(envelope(0, Buffer.from(json)))
  return framed(Buffer.from(`${id}data: ${json}\n\n`), format)
}

/** One chunk of a body with `transfer-encoding: chunked` (RFC 9112, 7.1). */
export function chunk(data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')])
}

/** Bytes of a body as they go to a socket. */
export function framed(data: Buffer, format: WireFormat): Buffer {
  return format === 'plain-sse' ? data : chunk(data)
}

/** Units of work of one more frame, or item of a list, to one viewer: see `turns.ts`. A write is one. */
const UNITS_PER_FRAME = 1 / 32

/**
 * Frames that are sent together, in order: one write per viewer. The frames of one change, of one batch of
 * the broker, or of what a newcomer gets. A room numbers its frames in the order in which they came to be,
 * because they take their time to reach all viewers, and some have meanwhile been given the state as of later.
 */
export type Burst = {
  frames: readonly Frame[]
  bytesFor: (format: WireFormat, userId: string) => Buffer
  /** Number of the last frame; of a state, that of the last frame that it makes up for. */
  last: number
  /** What is after frame number `seen`; undefined for nothing. */
  after: (seen: number) => Burst | undefined
  /** Units of work of sending it to one viewer. */
  units: number
}

export function burstOf(frames: readonly Frame[], last: number, size = frames.length): Burst {
  const parts = new Map<number, Burst>()
  const burst: Burst = {
    frames,
    bytesFor: bytesOfAll(frames),
    last,
    units: 1 + size * UNITS_PER_FRAME,
    after: (seen) => {
      const count = last - seen
      if (count <= 0) return undefined
      if (count >= frames.length) return burst
      const part = parts.get(count) ?? burstOf(frames.slice(-count), last)
      parts.set(count, part)
      return part
    },
  }
  return burst
}

function bytesOfAll(frames: readonly Frame[]): Burst['bytesFor'] {
  const [only] = frames
  if (only && frames.length === 1) return only.bytesFor
  const concerned = new Set(frames.flatMap((frame) => frame.concerns))
  const done = new Map<string, Buffer>()
  return (format, userId) => {
    const reader = concerned.has(userId) ? userId : ''
    const key = `${format} ${reader}`
    const bytes =
      done.get(key) ?? Buffer.concat(frames.map((frame) => frame.bytesFor(format, reader)))
    done.set(key, bytes)
    return bytes
  }
}

/** Snapshots and clocks are made anew after this: newcomers in a crowd share one, and it tells the time. */
const SHARED_FOR_MS = 20

/** The same burst for all who ask within a moment, as long as `state` is the same. */
export function sharedBurst(
  make: () => Burst,
  state: () => readonly unknown[],
  now: () => number,
): () => Burst {
  let made: { burst: Burst; of: readonly unknown[]; atMs: number } | undefined
  return () => {
    const [of, atMs] = [state(), now()]
    const same = made?.of.every((value, index) => value === of[index])
    if (!made || !same || atMs - made.atMs > SHARED_FOR_MS) made = { burst: make(), of, atMs }
    return made.burst
  }
}
