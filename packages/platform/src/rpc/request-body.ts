/** The body of a request in one piece. */
import type { HttpRequest } from '../server/http-handler.ts'

/** A message is larger than any legal one of its kind. */
export class MessageTooLargeError extends Error {
  override name = 'MessageTooLargeError'

  constructor(limitBytes: number) {
    super(`the message is larger than ${limitBytes} bytes`)
  }
}

/** The caller has left before the end of the body: nobody reads an answer. */
export const GONE = Symbol('gone')

export type Body = Uint8Array | MessageTooLargeError

/**
 * Returns an error as soon as the body is known to be too large; the rest is left to the server, which throws it away
 * when the answer is out. A body that has come whole, as most have by their turn, is no promise: the events of a stream
 * take 4 µs.
 *
 * @param frameBytes what may come beside a message of `limitBytes`
 */
export function readBody(
  request: HttpRequest,
  limitBytes: number,
  frameBytes: number,
): Body | typeof GONE | Promise<Body | typeof GONE> {
  const most = limitBytes + frameBytes
  if (Number(request.headers['content-length'] ?? 0) > most) {
    return new MessageTooLargeError(limitBytes)
  }
  if (request.aborted) return GONE
  if (!request.complete) return readPieces(request, limitBytes, most)
  const pieces: Buffer[] = []
  for (let piece = nextOf(request); piece !== null; piece = nextOf(request)) pieces.push(piece)
  const [first = Buffer.alloc(0)] = pieces
  const body = pieces.length <= 1 ? first : Buffer.concat(pieces)
  return body.length > most ? new MessageTooLargeError(limitBytes) : body
}

/** Of what has come; null when there is no more. */
function nextOf(request: HttpRequest): Buffer | null {
  return request.read()
}

function readPieces(
  request: HttpRequest,
  limitBytes: number,
  most: number,
): Promise<Body | typeof GONE> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    const take = (chunk: Buffer): void => {
      length += chunk.length
      chunks.push(chunk)
      if (length <= most) return
      request.off('data', take)
      resolve(new MessageTooLargeError(limitBytes))
    }
    request.on('data', take)
    // A stream that is reset without an error ends as well.
    request.once('end', () => resolve(request.aborted ? GONE : Buffer.concat(chunks)))
    // Also after its end, when it changes nothing.
    request.once('close', () => resolve(GONE))
  })
}
