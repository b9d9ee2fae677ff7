/**
 * How the protocols carry one message each way: Connect, whose body is the message; gRPC-Web and gRPC, which put it into
 * an envelope and the status into trailers, at the end of the body or after it.
 *
 * Connect: https://connectrpc.com/docs/protocol · gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
import type { OutgoingHttpHeaders } from 'node:http'
import type { ConnectError } from '@connectrpc/connect'
import type { Compression } from '@connectrpc/connect/protocol'
import { compressedFlag, mergeNonProtocolHeaders } from '@connectrpc/connect/protocol'
import {
  codeToHttpStatus,
  errorToJson,
  headerUnaryAcceptEncoding,
  headerUnaryEncoding,
  headerTimeout as headerConnectTimeout,
  parseTimeout as parseConnectTimeout,
} from '@connectrpc/connect/protocol-connect'
import {
  headerAcceptEncoding,
  headerEncoding,
  headerTimeout as headerGrpcTimeout,
  parseTimeout as parseGrpcTimeout,
  setTrailerStatus,
} from '@connectrpc/connect/protocol-grpc'
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web'
import type { JsonWriteOptions } from '@bufbuild/protobuf'
import type { HttpResponse } from '../server/http-handler.ts'
import { envelope, ENVELOPE_BYTES, openEnvelope } from './envelope.ts'
import { MessageTooLargeError } from './request-body.ts'
import type { UnaryCall } from './unary-call.ts'

const CONTENT_TOO_LARGE = 413

/** What is smaller is sent as it is. */
const COMPRESS_MIN_BYTES = 1_024

/** How an answer goes out. */
export type AnswerForm = {
  response: HttpResponse
  call: UnaryCall
  contentType: string
  /** What the caller takes, if anything. */
  compression: Compression | null
}

export type UnaryProtocol = {
  name: 'connect' | 'grpc' | 'grpc-web'
  headers: { timeout: string; encoding: string; acceptEncoding: string }
  parseTimeout: typeof parseConnectTimeout
  /** What a body has beside its message. */
  frameBytes: number
  /**
   * The message of a body, and whether it is compressed.
   *
   * @param encoded whether a header names a compression
   */
  open: (body: Uint8Array, encoded: boolean) => { data: Uint8Array; compressed: boolean }
  answer: (form: AnswerForm, message: string | Uint8Array) => Promise<void> | void
  refuse: (
    form: AnswerForm,
    error: ConnectError,
    options: Partial<JsonWriteOptions>,
  ) => Promise<void> | void
}

export const connectUnary: UnaryProtocol = {
  name: 'connect',
  headers: {
    timeout: headerConnectTimeout.toLowerCase(),
    encoding: headerUnaryEncoding.toLowerCase(),
    acceptEncoding: headerUnaryAcceptEncoding.toLowerCase(),
  },
  parseTimeout: parseConnectTimeout,
  frameBytes: 0,
  open: (data, encoded) => ({ data, compressed: encoded }),
  answer: (form, message) => sendWhole(form, 200, message),
  refuse: (form, error, options) => {
    const tooLarge = error.cause instanceof MessageTooLargeError
    const status = tooLarge ? CONTENT_TOO_LARGE : codeToHttpStatus(error.code)
    if (!error.isWireError) mergeNonProtocolHeaders(form.call.responseHeader, error.metadata)
    const text = `${JSON.stringify(errorToJson(error, options))}\n`
    return sendWhole({ ...form, contentType: 'application/json' }, status, text)
  },
}

const grpcHeaders = {
  timeout: headerGrpcTimeout.toLowerCase(),
  encoding: headerEncoding.toLowerCase(),
  acceptEncoding: headerAcceptEncoding.toLowerCase(),
}

const enveloped = {
  headers: grpcHeaders,
  parseTimeout: parseGrpcTimeout,
  frameBytes: ENVELOPE_BYTES,
  open: openEnvelope,
}

/** The status at the end of the body. */
export const grpcWebUnary: UnaryProtocol = {
  ...enveloped,
  name: 'grpc-web',
  answer: async (form, message) => {
    const frames = [await frameOf(message, form.compression), trailerFrame(form.call)]
    sendFrames(form, Buffer.concat(frames))
  },
  refuse: (form, error) => sendFrames(form, trailerFrame(form.call, error)),
}

/** The status behind the body, which only HTTP/2 can be relied on to carry. */
export const grpcUnary: UnaryProtocol = {
  ...enveloped,
  name: 'grpc',
  answer: async (form, message) => {
    const frame = await frameOf(message, form.compression)
    form.response.addTrailers(nodeHeaders(statusTrailer(form.call)))
    sendFrames(form, frame)
  },
  refuse: (form, error) => {
    form.response.addTrailers(nodeHeaders(statusTrailer(form.call, error)))
    sendFrames(form)
  },
}

/** A body that is all message; trailers are headers with a prefix. */
function sendWhole(
  { response, call, contentType, compression }: AnswerForm,
  status: number,
  message: string | Uint8Array,
): Promise<void> | void {
  const headers: OutgoingHttpHeaders = { 'content-type': contentType }
  const { header, trailer } = call.said()
  if (header) Object.assign(headers, nodeHeaders(header))
  for (const [name, value] of Object.entries(nodeHeaders(trailer))) {
    headers[`trailer-${name}`] = value
  }
  const send = (body: string | Uint8Array): void => {
    headers['content-length'] = Buffer.byteLength(body)
    response.writeHead(status, headers)
    response.end(body)
  }
  if (!compression || Buffer.byteLength(message) < COMPRESS_MIN_BYTES) return send(message)
  headers['content-encoding'] = compression.name
  return compression.compress(new Uint8Array(bytesOf(message))).then(send)
}

function sendFrames({ response, call, contentType, compression }: AnswerForm, body?: Buffer): void {
  const headers: OutgoingHttpHeaders = {
    'content-type': contentType,
    ...nodeHeaders(call.said().header),
  }
  if (compression) headers[grpcHeaders.encoding] = compression.name
  response.writeHead(200, headers)
  if (body) response.end(body)
  else response.end()
}

async function frameOf(message: string | Uint8Array, compression: Compression | null) {
  const bytes = bytesOf(message)
  if (!compression || bytes.length < COMPRESS_MIN_BYTES) return envelope(0, bytes)
  return envelope(compressedFlag, await compression.compress(new Uint8Array(bytes)))
}

function trailerFrame(call: UnaryCall, error?: ConnectError): Buffer {
  return envelope(trailerFlag, trailerSerialize(statusTrailer(call, error)))
}

function statusTrailer(call: UnaryCall, error?: ConnectError): Headers {
  return setTrailerStatus(call.responseTrailer, error)
}

function bytesOf(message: string | Uint8Array): Uint8Array {
  return typeof message === 'string' ? Buffer.from(message) : message
}

/** Headers as Node writes them: cookies one by one. */
function nodeHeaders(headers: Headers | undefined): OutgoingHttpHeaders {
  const plain: OutgoingHttpHeaders = {}
  if (!headers) return plain
  for (const [name, value] of headers) if (name !== 'set-cookie') plain[name] = value
  const cookies = headers.getSetCookie()
  if (cookies.length > 0) plain['set-cookie'] = cookies
  return plain
}
