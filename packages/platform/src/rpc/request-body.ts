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

/**
 * Resolves with an error as soon as the body is known to be too large; the rest is left to the server, which throws it
 * away when the answer is out.
 *
 * @param frameBytes what may come beside a message of `limitBytes`
 */
export function readBody(
  request: HttpRequest,
  limitBytes: number,
  frameBytes: number,
): Promise<Uint8Array | MessageTooLargeError | typeof GONE> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = Number(request.headers['content-length'] ?? 0)
    const isTooLarge = (): boolean => length > limitBytes + frameBytes
    if (isTooLarge()) return resolve(new MessageTooLargeError(limitBytes))
    length = 0
    const take = (chunk: Buffer): void => {
      length += chunk.length
      chunks.push(chunk)
      if (!isTooLarge()) return
      request.off('data', take)
      resolve(new MessageTooLargeError(limitBytes))
    }
    const gone = (): void => resolve(GONE)
    request.on('data', take)
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    request.once('error', gone)
    // Also after its end, when it changes nothing.
    request.once('close', gone)
  })
}
