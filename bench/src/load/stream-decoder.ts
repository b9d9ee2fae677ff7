/**
 * What a viewer reads off its connection: the head of an HTTP/1.1 answer, then chunks, in them Connect
 * envelopes, in them the messages of WatchItem. Messages may come split over several reads or merged in one.
 * Ten thousand viewers get the same bytes at the same time, so a read is decoded by the first of them and
 * recognised by the others: comparing 200 bytes costs a fraction of decoding them, and it is the servers that
 * are to be measured.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import {
  type WatchItemRequest,
  WatchItemRequestSchema,
  WatchItemResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'

export type StreamMessage =
  /** The state as of accepted bid number `sequence`. */
  | { kind: 'snapshot'; sequence: number }
  /** `decidedMs`: when the bid was decided, by the database's clock. */
  | { kind: 'bid'; sequence: number; decidedMs: number }
  /** The time, the number of viewers and the like. */
  | { kind: 'other' }

/** Takes the bytes of one read; throws when the stream has ended or cannot be understood. */
export type StreamDecoder = (read: Buffer) => readonly StreamMessage[]

/** The latest change, and clocks of a few slots: what different viewers are sent at the same time. */
const REMEMBERED_MAX = 8

/** Of a head or of a chunk's length line; longer is no answer to be waited for. */
const LINES_MAX_BYTES = 16_384

const ENVELOPE_BYTES = 5
const END_STREAM_FLAG = 2

/** The bytes that ask for a stream. */
export function watchRequest(host: string, request: WatchItemRequest): Buffer {
  const message = toBinary(WatchItemRequestSchema, request)
  const envelope = Buffer.alloc(ENVELOPE_BYTES)
  envelope.writeUInt32BE(message.length, 1)
  const head = [
    'POST /live.v1.LiveService/WatchItem HTTP/1.1',
    `host: ${host}`,
    'content-type: application/connect+proto',
    'connect-protocol-version: 1',
    `content-length: ${ENVELOPE_BYTES + message.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), envelope, message])
}

/** Makes decoders, one per stream, that share what they have decoded. */
export function createDecoders(): () => StreamDecoder {
  const remembered: { read: Buffer; messages: readonly StreamMessage[] }[] = []
  let oldest = 0

  function remember(read: Buffer, messages: readonly StreamMessage[]): void {
    // The reader's buffer is about to be used for the next read.
    remembered[oldest] = { read: Buffer.from(read), messages }
    oldest = (oldest + 1) % REMEMBERED_MAX
  }

  return () => {
    let inHead = true
    /** Bytes of an unfinished head or chunk. */
    let raw: Buffer = empty
    /** Bytes of an unfinished envelope. */
    let body: Buffer = empty
    const isBetweenMessages = () => !inHead && raw.length === 0 && body.length === 0

    return (read) => {
      const startsMessage = isBetweenMessages()
      const known = startsMessage && remembered.find((each) => each.read.equals(read))
      if (known) return known.messages
      raw = Buffer.concat([raw, read])
      if (inHead) {
        const rest = afterHead(raw)
        if (rest === undefined) return []
        inHead = false
        raw = rest
      }
      const { payload, rest } = takeChunks(raw)
      raw = rest
      const taken = takeMessages(Buffer.concat([body, ...payload]))
      body = taken.rest
      if (startsMessage && isBetweenMessages()) remember(read, taken.messages)
      return taken.messages
    }
  }
}

const empty = Buffer.alloc(0)

/** What follows the head; undefined while it is incomplete. */
function afterHead(raw: Buffer): Buffer | undefined {
  const end = raw.indexOf('\r\n\r\n')
  if (end === -1) {
    if (raw.length > LINES_MAX_BYTES) throw new Error('an answer without an end to its head')
    return undefined
  }
  const head = raw.toString('latin1', 0, end)
  if (!head.startsWith('HTTP/1.1 200 ')) {
    throw new Error(`answered ${raw.toString('utf8', 0, LINES_MAX_BYTES)}`)
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error('an answer without chunks')
  return raw.subarray(end + 4)
}

/** The chunks that are complete. */
function takeChunks(raw: Buffer): { payload: Buffer[]; rest: Buffer } {
  const payload: Buffer[] = []
  let start = 0
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', start)
    if (lineEnd === -1) break
    const line = raw.toString('latin1', start, lineEnd)
    if (!/^[\da-f]+$/i.test(line)) throw new Error(`not the length of a chunk: ${line}`)
    const length = Number.parseInt(line, 16)
    if (length === 0) throw new Error('the answer has ended')
    const end = lineEnd + 2 + length
    if (raw.length < end + 2) break
    payload.push(raw.subarray(lineEnd + 2, end))
    start = end + 2
  }
  return { payload, rest: raw.subarray(start) }
}

/** The enveloped messages that are complete. */
function takeMessages(body: Buffer): { messages: StreamMessage[]; rest: Buffer } {
  const messages: StreamMessage[] = []
  let start = 0
  while (body.length >= start + ENVELOPE_BYTES) {
    const flags = body.readUInt8(start)
    // Before its length is believed: what is no envelope would be waited for, for ever.
    if (flags !== 0 && flags !== END_STREAM_FLAG) throw new Error(`an envelope with flags ${flags}`)
    const end = start + ENVELOPE_BYTES + body.readUInt32BE(start + 1)
    if (body.length < end) break
    const message = body.subarray(start + ENVELOPE_BYTES, end)
    if (flags === END_STREAM_FLAG) throw new Error(`the stream has ended: ${message.toString()}`)
    messages.push(messageOf(message))
    start = end
  }
  return { messages, rest: body.subarray(start) }
}

function messageOf(bytes: Buffer): StreamMessage {
  const { sequence, event } = fromBinary(WatchItemResponseSchema, bytes)
  if (event.case === 'snapshot') return { kind: 'snapshot', sequence: Number(sequence) }
  if (event.case !== 'bidPlaced') return { kind: 'other' }
  const { bid } = event.value
  if (!bid?.createdAt) throw new Error('a BidPlaced without a time')
  return { kind: 'bid', sequence: Number(bid.sequence), decidedMs: timestampMs(bid.createdAt) }
}
