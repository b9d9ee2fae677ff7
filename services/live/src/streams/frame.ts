/**
 * Messages as bytes, encoded once for all who read the same wire format. Readers who may not know who bids share one
 * encoding, and those who may another. Only for those whom a message is about does it differ: the leader, whoever has just lost the lead, the
 * author of a line, and the seller when the hammer has fallen. Those few get an encoding of their own.
 */
import { create, toBinary, toJson } from '@bufbuild/protobuf'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
  type WatchItemsResponse,
  WatchItemsResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { envelope } from '@bidmesh/platform/rpc/envelope.ts'
import { maskedBid, maskedId, maskedItem, type Reader } from '@bidmesh/events/masked.ts'
import { type EncodedEntry, jsonOptions, type ListEntry } from '../lists/list-entry.ts'

/**
 * `proto` and `json`: enveloped messages, the same for Connect and gRPC-Web. `sse`: server-sent events.
 * All of them as chunks of an HTTP/1.1 body, so that writing them to a socket is all that is left to do;
 * `plain-sse` for bodies without chunks (HTTP/1.0, HTTP/2).
 */
export type WireFormat = 'proto' | 'json' | 'sse' | 'plain-sse'

export type StreamMessage = WatchItemResponse | WatchItemsResponse

/** Before the id of a reader who is told nobody else's. No id has it. */
const MASKED = '\n'

/** Whom a frame is encoded for. */
export function readerKey({ userId, seesAll }: Reader): string {
  return seesAll ? userId : MASKED + userId
}

export type Frame<Message extends StreamMessage = StreamMessage> = {
  /** The message as a {@link readerKey} is to read it; '' for nobody in particular, who sees all. */
  messageFor: (reader: string) => Message
  bytesFor: (format: WireFormat, reader: string) => Buffer
  /** Readers for whom it differs. */
  concerns: readonly string[]
}

/**
 * @param leaderId whose the lead is; '' for nobody's
 * @param outbidId whom this message took the lead from; '' for nobody
 * @param sellerId who learns who has won
 */
export function itemFrame(
  message: WatchItemResponse,
  leaderId: string,
  outbidId = '',
  sellerId = '',
): Frame<WatchItemResponse> {
  const about = [leaderId, outbidId, ...namedIn(message, sellerId)].filter(
    (userId) => userId !== '',
  )
  const own = (userId: string, told: WatchItemResponse) => ({
    ...told,
    youAreWinning: userId === leaderId,
    youWereOutbid: userId === outbidId && userId !== leaderId,
  })
  const variants = new Map<string, () => WatchItemResponse>([
    [MASKED, variant(() => maskedMessage(message, { userId: '', seesAll: false }, sellerId))],
  ])
  for (const userId of about) {
    const reader = { userId, seesAll: false }
    if (userId === leaderId || userId === outbidId)
      variants.set(
        userId,
        variant(() => own(userId, message)),
      )
    variants.set(
      readerKey(reader),
      variant(() => own(userId, maskedMessage(message, reader, sellerId))),
    )
  }
  const messageFor = (reader: string) => {
    if (reader === '') return message
    const found = variants.get(reader) ?? (isMasked(reader) ? variants.get(MASKED) : undefined)
    return found?.() ?? message
  }
  const plain = lazyBytes(message)
  const encoded = new Map<unknown, ReturnType<typeof lazyBytes>>()
  return {
    messageFor,
    bytesFor: (format, reader) => {
      const theirs = messageFor(reader)
      if (theirs === message) return plain(format)
      const bytes = encoded.get(theirs) ?? lazyBytes(theirs)
      encoded.set(theirs, bytes)
      return bytes(format)
    },
    concerns: [...variants.keys()].filter((reader) => reader !== MASKED),
  }
}

function isMasked(reader: string): boolean {
  return reader.startsWith(MASKED)
}

/** Who finds an id in it that others do not, besides leader and outbid. */
function namedIn({ event }: WatchItemResponse, sellerId: string): string[] {
  if (event.case === 'chatMessage') return [event.value.userId]
  if (event.case === 'ended') return [event.value.winnerId, sellerId]
  const { item } = event.case === 'snapshot' ? event.value : {}
  return item?.outcome === ItemOutcome.SOLD ? [item.sellerId] : []
}

/** The same message when there is nothing to hide. */
function maskedMessage(
  message: WatchItemResponse,
  reader: Reader,
  sellerId: string,
): WatchItemResponse {
  const { event } = message
  switch (event.case) {
    case 'snapshot': {
      const { item } = event.value
      const masked = item && maskedItem(item, reader)
      if (!masked || masked === item) return message
      return { ...message, event: { ...event, value: { ...event.value, item: masked } } }
    }
    case 'bidPlaced': {
      const { bid, previousHighestBidderId } = event.value
      const value = {
        ...event.value,
        ...(bid && { bid: maskedBid(bid, reader) }),
        previousHighestBidderId: maskedId(previousHighestBidderId, reader),
      }
      return { ...message, event: { ...event, value } }
    }
    case 'ended': {
      const { winnerId } = event.value
      if (winnerId === '' || (sellerId !== '' && reader.userId === sellerId)) return message
      const value = { ...event.value, winnerId: maskedId(winnerId, reader) }
      return { ...message, event: { ...event, value } }
    }
    case 'chatMessage': {
      const value = { ...event.value, userId: maskedId(event.value.userId, reader) }
      return { ...message, event: { ...event, value } }
    }
    case 'endMoved':
    case 'opened':
    case 'cancelled':
    case 'viewerCount':
    case 'clock':
    case undefined:
      break
  }
  return message
}

/** A list looks the same to everybody, but that nobody is told who leads who may not know; it is put together from what its items look like. */
export function itemsFrame(
  serverTime: Timestamp,
  entries: readonly ListEntry[],
): Frame<WatchItemsResponse> {
  const schema = WatchItemsResponseSchema
  const head = variant(() => create(schema, { serverTime }))
  const masked = entries.map((entry) => entry.masked())
  // Of a protobuf message, fields may come one after the other in several pieces.
  const proto = (of: readonly EncodedEntry[]) =>
    Buffer.concat([toBinary(schema, head()), ...of.map((entry) => entry.proto())])
  const json = (of: readonly EncodedEntry[]) => {
    const empty = JSON.stringify(toJson(schema, head(), jsonOptions))
    return `${empty.slice(0, -']}'.length)}${of.map((entry) => entry.json()).join(',')}]}`
  }
  const wholeOf = (of: readonly EncodedEntry[]) => ({
    message: variant(() => ({ ...head(), updates: of.map(({ update }) => update) })),
    bytes: onceEach((format) =>
      format === 'proto' ? encodeProto(proto(of)) : encodeJson(json(of), format),
    ),
  })
  const [all, hidden] = [wholeOf(entries), wholeOf(masked)]
  const whole = (reader: string) => (isMasked(reader) ? hidden : all)
  return {
    messageFor: (reader) => whole(reader).message(),
    bytesFor: (format, reader) => whole(reader).bytes(format),
    concerns: [],
  }
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
  bytesFor: (format: WireFormat, reader: string) => Buffer
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
  return (format, asked) => {
    const reader = concerned.has(asked) ? asked : isMasked(asked) ? MASKED : ''
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
