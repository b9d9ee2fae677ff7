/**
 * The library's answers to requests that it cannot read, put right: it calls a broken message and a truncated
 * compression INTERNAL, which is what our own faults are called, says a too large message in names of its options,
 * and answers a wrong content type or method with nothing at all. Only refusals are looked at: those of streams, of gRPC over
 * HTTP/1.1, and of what no procedure takes.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import {
  compressedFlag,
  encodeEnvelope,
  type UniversalHandler,
  type UniversalServerResponse,
} from '@connectrpc/connect/protocol'
import { codeFromString, codeToString } from '@connectrpc/connect/protocol-connect'
import {
  setTrailerStatus,
  trailerFlag,
  trailerParse,
  trailerSerialize,
} from '@connectrpc/connect/protocol-grpc-web'
import { ENVELOPE_BYTES } from './envelope.ts'

const END_STREAM_FLAG = 0b10

type Refusal = { code: Code; message: string }

const inputCodes = new Set([Code.Internal, Code.ResourceExhausted])

/** What the library says of input, and what a caller is to read instead. */
const restatements: readonly [said: RegExp, code: Code, words: string][] = [
  [
    /^parse binary: (.*)$/s,
    Code.InvalidArgument,
    'the message is not what this procedure takes: $1',
  ],
  [
    /^received compressed envelope.*/s,
    // As the protocols have it, though the fault is the caller's.
    Code.Internal,
    'a message is marked as compressed, but no header says how',
  ],
  [/^decompression failed$/, Code.InvalidArgument, 'the message cannot be decompressed'],
  [
    /^message (?:size (?:\d+ )?)?is larger than configured readMaxBytes (\d+).*$/s,
    Code.ResourceExhausted,
    'the message is larger than $1 bytes',
  ],
]

function restate({ code, message }: Refusal): Refusal | undefined {
  if (!inputCodes.has(code)) return undefined
  const found = restatements.find(([said]) => said.test(message))
  if (!found) return undefined
  const [said, restated, words] = found
  return { code: restated, message: message.replace(said, words) }
}

/** Refusals in words; all other answers as they are. */
export function inWords(
  answer: UniversalServerResponse,
  { allowedMethods }: UniversalHandler,
): UniversalServerResponse {
  const { status, header, trailer, body } = answer
  if (body === undefined) return status < 400 ? answer : emptyRefusal(status, allowedMethods)
  // The trailers of gRPC; no message of it has been sent when its request could not be read.
  if (trailer) restateTrailer(trailer)
  else if (isEnveloped(header)) return { ...answer, body: restateFirst(body) }
  return answer
}

const takes =
  'application/json or application/proto (Connect), application/grpc-web+proto, application/grpc; ' +
  'application/connect+json or application/connect+proto for streams'

function emptyRefusal(status: number, allowedMethods: readonly string[]): UniversalServerResponse {
  const methods = allowedMethods.join(', ')
  if (status === 405)
    return jsonAnswer(status, Code.Unimplemented, `this is a procedure: use ${methods}`, {
      allow: methods,
    })
  if (status === 415) {
    const message = `the content type is missing or not one of a procedure: it takes ${takes}; GET takes encoding=json or encoding=proto`
    return jsonAnswer(status, Code.InvalidArgument, message)
  }
  return jsonAnswer(status, Code.Unimplemented, 'streams in both directions need HTTP/2', {
    connection: 'close',
  })
}

function jsonAnswer(
  status: number,
  code: Code,
  message: string,
  headers: Record<string, string> = {},
): UniversalServerResponse {
  const bytes = line({ code: codeToString(code), message })
  const header = new Headers({
    ...headers,
    'content-type': 'application/json',
    'content-length': String(bytes.byteLength),
  })
  return { status, header, body: once(bytes) }
}

function line(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`)
}

async function* once(bytes: Uint8Array) {
  yield bytes
}

function refusalOf(error: unknown): Refusal | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const [code, message]: unknown[] = [Reflect.get(error, 'code'), Reflect.get(error, 'message')]
  const known = typeof code === 'string' ? codeFromString(code) : undefined
  return known === undefined
    ? undefined
    : { code: known, message: typeof message === 'string' ? message : '' }
}

function jsonOf({ code, message }: Refusal) {
  return { code: codeToString(code), message }
}

function restateTrailer(trailer: Headers): boolean {
  const code = Number(trailer.get('grpc-status'))
  if (!inputCodes.has(code)) return false
  const restated = restate({ code, message: decodeURIComponent(trailer.get('grpc-message') ?? '') })
  if (!restated) return false
  // It repeats what was said, and when to come again: a message that was refused never fits.
  trailer.delete('grpc-status-details-bin')
  setTrailerStatus(trailer, new ConnectError(restated.message, restated.code))
  return true
}

function isEnveloped(header: Headers | undefined): boolean {
  return /^application\/(?:grpc-web|connect\+)/.test(header?.get('content-type') ?? '')
}

/** A stream that ends with its first chunk has not begun: that chunk is the refusal. */
async function* restateFirst(body: AsyncIterable<Uint8Array>) {
  let isFirst = true
  for await (const chunk of body) {
    yield isFirst ? restateFrame(chunk) : chunk
    isFirst = false
  }
}

function restateFrame(frame: Uint8Array): Uint8Array {
  const flags = frame[0] ?? 0
  if (flags & compressedFlag) return frame
  const data = frame.subarray(ENVELOPE_BYTES)
  if (flags & trailerFlag) {
    const trailer = trailerParse(data)
    return restateTrailer(trailer) ? encodeEnvelope(flags, trailerSerialize(trailer)) : frame
  }
  if (!(flags & END_STREAM_FLAG)) return frame
  const end: unknown = JSON.parse(Buffer.from(data).toString())
  const refusal = refusalOf(typeof end === 'object' && end !== null && Reflect.get(end, 'error'))
  const restated = refusal && restate(refusal)
  return restated ? encodeEnvelope(flags, line({ ...Object(end), error: jsonOf(restated) })) : frame
}
