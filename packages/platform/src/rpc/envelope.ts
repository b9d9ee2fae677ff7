/** Five bytes before each message of gRPC, gRPC-Web and Connect's streams: flags, and the length of what follows. */
import { Code, ConnectError } from '@connectrpc/connect'
import { compressedFlag } from '@connectrpc/connect/protocol'
import { trailerFlag } from '@connectrpc/connect/protocol-grpc-web'

export const ENVELOPE_BYTES = 5

export function envelope(flags: number, data: Uint8Array): Buffer {
  const enveloped = Buffer.allocUnsafe(ENVELOPE_BYTES + data.length)
  enveloped.writeUInt8(flags, 0)
  enveloped.writeUInt32BE(data.length, 1)
  enveloped.set(data, ENVELOPE_BYTES)
  return enveloped
}

/**
 * The one message in the body of a request. Throws what the protocols ask for: UNIMPLEMENTED for another number of
 * messages, INVALID_ARGUMENT for what is no envelope.
 */
export function openEnvelope(body: Uint8Array): { data: Uint8Array; compressed: boolean } {
  if (body.length === 0) throw notOne('it is missing')
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const flags = view.getUint8(0)
  if (flags & trailerFlag) throw notOne('it is missing')
  if (flags & ~compressedFlag) throw broken(`flags ${flags} are not those of a message`)
  const end = body.length < ENVELOPE_BYTES ? Infinity : ENVELOPE_BYTES + view.getUint32(1)
  if (body.length < end) throw broken('it is shorter than it says')
  if (body.length > end) throw notOne('there is more')
  return { data: body.subarray(ENVELOPE_BYTES), compressed: flags === compressedFlag }
}

function notOne(what: string): ConnectError {
  const message = `a call of this procedure has one message, and ${what}`
  return new ConnectError(message, Code.Unimplemented)
}

function broken(what: string): ConnectError {
  return new ConnectError(`the message cannot be read: ${what}`, Code.InvalidArgument)
}
