/**
 * The three streaming protocols this process speaks by itself over HTTP/1.1, where the library's generic
 * path encodes each message for each reader: Connect, gRPC-Web, server-sent events. They differ in the
 * content type, in how a message is encoded and in how a stream says that it is over.
 *
 * Connect: https://connectrpc.com/docs/protocol · gRPC-Web: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
 */
import type { ConnectError } from '@connectrpc/connect'
import { createEndStreamSerialization, endStreamFlag } from '@connectrpc/connect/protocol-connect'
import {
  setTrailerStatus,
  trailerFlag,
  trailerSerialize,
} from '@connectrpc/connect/protocol-grpc-web'
import { envelope, type WireFormat } from './frame.ts'

export type StreamProtocol = {
  contentType: string
  format: WireFormat
  /** Last bytes of the body; without a reason the stream is simply over. */
  ending: (reason?: ConnectError) => Buffer
}

const connectEnd = createEndStreamSerialization({})

function connectEnding(reason?: ConnectError): Buffer {
  const metadata = new Headers(reason?.metadata)
  const end = reason ? { metadata, error: reason } : { metadata }
  return envelope(endStreamFlag, connectEnd.serialize(end))
}

function grpcWebEnding(reason?: ConnectError): Buffer {
  const trailer = new Headers()
  setTrailerStatus(trailer, reason)
  return envelope(trailerFlag, trailerSerialize(trailer))
}

function connect(contentType: string, format: WireFormat): StreamProtocol {
  return { contentType, format, ending: connectEnding }
}

function grpcWeb(contentType: string, format: WireFormat): StreamProtocol {
  return { contentType, format, ending: grpcWebEnding }
}

const protocols = new Map(
  [
    connect('application/connect+proto', 'proto'),
    connect('application/connect+json', 'json'),
    grpcWeb('application/grpc-web', 'proto'),
    grpcWeb('application/grpc-web+proto', 'proto'),
    grpcWeb('application/grpc-web+json', 'json'),
  ].map((protocol) => [protocol.contentType, protocol]),
)

/** The protocol of a request's content type; undefined for what only the library speaks. */
export function streamProtocolOf(contentType: string | undefined): StreamProtocol | undefined {
  const [type = ''] = (contentType ?? '').split(';', 1)
  return protocols.get(type.trim().toLowerCase())
}

/**
 * An `EventSource` connects again by itself; a comment tells people with curl why it is over. Without chunks
 * for HTTP/1.0, which some proxies speak, and HTTP/2.
 */
export function serverSentEvents(chunked: boolean): StreamProtocol {
  return {
    contentType: 'text/event-stream',
    format: chunked ? 'sse' : 'plain-sse',
    ending: (reason) => Buffer.from(reason ? `: ${reason.rawMessage}\n\n` : ''),
  }
}
