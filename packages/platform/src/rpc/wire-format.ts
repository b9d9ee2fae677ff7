/** What a request says of how it is to be read: its protocol, its encoding and, of a GET, all of it. */
import { base64Decode } from '@bufbuild/protobuf/wire'
import type { HttpRequest } from '../server/http-handler.ts'
import type { Encoding } from './message-codecs.ts'
import { connectUnary, grpcUnary, grpcWebUnary, type UnaryProtocol } from './unary-protocols.ts'

export type WireFormat = {
  protocol: UnaryProtocol
  encoding: Encoding
  /** Of the answer. */
  contentType: string
}

const connectFormats = {
  json: { protocol: connectUnary, encoding: 'json', contentType: 'application/json' },
  proto: { protocol: connectUnary, encoding: 'proto', contentType: 'application/proto' },
} as const satisfies Record<Encoding, WireFormat>

const formats = new Map<string, WireFormat>([
  ['application/json', connectFormats.json],
  ['application/proto', connectFormats.proto],
  ...envelopedFormats('application/grpc-web', grpcWebUnary),
  ...envelopedFormats('application/grpc', grpcUnary),
])

function envelopedFormats(type: string, protocol: UnaryProtocol): [string, WireFormat][] {
  const proto = { protocol, encoding: 'proto', contentType: `${type}+proto` } as const
  const json = { protocol, encoding: 'json', contentType: `${type}+json` } as const
  return [
    [type, proto],
    [`${type}+proto`, proto],
    [`${type}+json`, json],
  ]
}

const utf8 = /; ?charset=utf-?8$/

/** Of a POST; undefined for what the library is to answer, gRPC over HTTP/1.1 among it. */
export function formatOf({ headers, httpVersion }: HttpRequest): WireFormat | undefined {
  const type = headers['content-type'] ?? ''
  const lower = type.toLowerCase()
  const format =
    formats.get(type) ?? formats.get(lower.endsWith('8') ? lower.replace(utf8, '') : lower)
  return format?.protocol === grpcUnary && httpVersion !== '2.0' ? undefined : format
}

/** The request of a GET. */
export type Query = {
  format: WireFormat
  /** Name of its compression; null: none. */
  encoding: string | null
  message: Uint8Array
}

/** Undefined when it does not say how its message is encoded; a string says what is wrong with it. */
export function readQuery(query: string): Query | string | undefined {
  try {
    decodeURIComponent(query)
  } catch {
    return 'the query is not percent-encoded UTF-8'
  }
  const parameters = new URLSearchParams(query)
  const name = parameters.get('encoding')
  if (name !== 'json' && name !== 'proto') return undefined
  const text = parameters.get('message') ?? ''
  const encoding = parameters.get('compression')
  const format = connectFormats[name]
  if (parameters.get('base64') !== '1') return { format, encoding, message: Buffer.from(text) }
  try {
    return { format, encoding, message: base64Decode(text) }
  } catch {
    return 'message is not base64, which base64=1 says it is'
  }
}
