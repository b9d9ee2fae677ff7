/** The request of a unary call: how it came, what it asks of its answer, and the bytes of its message. */
import type { DescMethod } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { compressionBrotli, compressionGzip } from '@connectrpc/connect-node'
import { type Compression, compressionNegotiate } from '@connectrpc/connect/protocol'
import type { HttpRequest } from '../server/http-handler.ts'
import { type Body, MessageTooLargeError, readBody } from './request-body.ts'
import { formatOf, readQuery, type WireFormat } from './wire-format.ts'

export const compressions = [compressionGzip, compressionBrotli]

export type Incoming = {
  format: WireFormat
  /** Name of the message's compression; null: none. */
  encoding: string | null
  body: (limitBytes: number) => ReturnType<typeof readBody>
}

/** Undefined: not for this responder. A string says what is wrong with what nobody can read. */
export function incomingOf(
  { idempotency }: DescMethod,
  query: string,
  request: HttpRequest,
): Incoming | string | undefined {
  if (request.method === 'POST') {
    const format = formatOf(request)
    if (!format) return undefined
    const { headers, frameBytes } = format.protocol
    const encoding = headerOf(request.headers, headers.encoding)
    return { format, encoding, body: (limitBytes) => readBody(request, limitBytes, frameBytes) }
  }
  const isSafe = idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
  if (request.method !== 'GET' || !isSafe) return undefined
  const read = readQuery(query)
  return typeof read === 'object' ? { ...read, body: () => read.message } : read
}

/** What a caller asks for beside the answer itself. */
export type Wishes = {
  timeoutMs: number | undefined
  /** Of its message. */
  decompress: Compression | null
  /** Of the answer. */
  compression: Compression | null
  /** It asks for what there is not. */
  fault: ConnectError | undefined
}

const nothing: Wishes = {
  timeoutMs: undefined,
  decompress: null,
  compression: null,
  fault: undefined,
}

export function wishesOf(
  { format, encoding }: Incoming,
  headers: HttpRequest['headers'],
  maxTimeoutMs: number,
): Wishes {
  const names = format.protocol.headers
  if (encoding === null && !(names.timeout in headers) && !(names.acceptEncoding in headers)) {
    return nothing
  }
  const timeout = format.protocol.parseTimeout(headerOf(headers, names.timeout), maxTimeoutMs)
  const accepted = headerOf(headers, names.acceptEncoding)
  const { request, response, error } = compressionNegotiate(
    compressions,
    encoding,
    accepted,
    names.acceptEncoding,
  )
  const fault = error ?? timeout.error
  const timeoutMs = timeout.error ? undefined : timeout.timeoutMs
  return { timeoutMs, decompress: request, compression: response, fault }
}

/** Throws, or rejects with, what the caller is told when its message cannot be had. */
export function messageOf(
  { format }: Incoming,
  body: Body,
  { decompress, fault }: Wishes,
  limitBytes: number,
): Uint8Array | Promise<Uint8Array> {
  if (fault) throw fault
  if (body instanceof MessageTooLargeError) throw body
  const { data, compressed } = format.protocol.open(body, decompress !== null)
  if (!compressed) return data
  if (decompress) return decompressed(data, decompress, limitBytes)
  const message = 'a message is marked as compressed, but no header says how'
  // As the protocol has it, though the fault is the caller's.
  throw new ConnectError(message, Code.Internal)
}

async function decompressed(
  data: Uint8Array,
  compression: Compression,
  limitBytes: number,
): Promise<Uint8Array> {
  try {
    return await compression.decompress(new Uint8Array(data), limitBytes)
  } catch (error) {
    const isTooLarge = ConnectError.from(error).code === Code.ResourceExhausted
    if (isTooLarge) throw new MessageTooLargeError(limitBytes)
    throw new ConnectError('the message cannot be decompressed', Code.InvalidArgument)
  }
}

function headerOf(headers: HttpRequest['headers'], name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}
