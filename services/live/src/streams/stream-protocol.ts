/**
 * The three streaming protocols this process speaks by itself over HTTP/1.1, where the library's generic
 * path encodes each message for each reader: Connect, gRPC-Web, server-sent events. They differ in the
 * content type, in how a message is encoded and in how a stream says that it is over.
 *
 * Connect: https://connectrpc.com/docs/protocol · gRPC-Web: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
 */
import { Code, type ConnectError } from '@connectrpc/connect'
import { createEndStreamSerialization, endStreamFlag } from '@connectrpc/connect/protocol-connect'
import {
  setTrailerStatus,
  trailerFlag,
  trailerSerialize,
} from '@connectrpc/connect/protocol-grpc-web'
import { withRetryInfo } from '@bidmesh/platform/rpc/retry-info.ts'
import { envelope } from '@bidmesh/platform/rpc/envelope.ts'
import type { WireFormat } from './frame.ts'

export type StreamProtocol = {
  contentType: string
  format: WireFormat
  /** First bytes of the body; empty in most protocols. */
  opening?: () => Buffer
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
  return { contentType, format, ending: retried(connectEnding) }
}

function grpcWeb(contentType: string, format: WireFormat): StreamProtocol {
  return { contentType, format, ending: retried(grpcWebEnding) }
}

/** A stream ends without passing the interceptors: when to come again is said here, too. */
function retried(ending: StreamProtocol['ending']): StreamProtocol['ending'] {
  return (reason) => ending(reason && withRetryInfo(reason))
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
 * After a lost connection an `EventSource` waits for as long as it was last told, and each is told its own
 * time: thousands that lost the same server do not come back to the next one in the same moment.
 */
const RECONNECT_MIN_MS = 500
const RECONNECT_MAX_MS = 2_000
/** After an ending that says why: who is too busy now is not to be asked again at once. */
const TRY_AGAIN_MIN_MS = 1_000
const TRY_AGAIN_MAX_MS = 5_000

/**
 * An `EventSource` connects again by itself; a comment tells people with curl why it is over. Without chunks
 * for HTTP/1.0, which some proxies speak, and HTTP/2.
 */
export function serverSentEvents(chunked: boolean): StreamProtocol {
  return {
    contentType: 'text/event-stream',
    format: chunked ? 'sse' : 'plain-sse',
    opening: () => Buffer.from(`${retryWithin(RECONNECT_MIN_MS, RECONNECT_MAX_MS)}\n\n`),
    ending: (reason) => {
      if (!reason) return Buffer.alloc(0)
      const retry = retryWithin(TRY_AGAIN_MIN_MS, TRY_AGAIN_MAX_MS)
      return Buffer.from(`${retry}\n: ${reason.rawMessage}\n\n`)
    },
  }
}

function retryWithin(minMs: number, maxMs: number): string {
  return `retry: ${Math.round(minMs + Math.random() * (maxMs - minMs))}`
}

/** Another try cannot mend these, so they are a status that an `EventSource` gives up at. */
const lasting = new Set([
  Code.NotFound,
  Code.InvalidArgument,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.Unimplemented,
])

/** Whether asking again later may do. */
export function isPassing({ code }: ConnectError): boolean {
  return !lasting.has(code)
}
