/** Finds TCP ports for servers that must be told theirs before they start. */
import { createServer } from 'node:net'
import { errorCode } from './errors.ts'

/**
 * A port of 127.0.0.1 that nobody listens on now: the preferred one if it is free. Somebody else may take
 * it before the caller does: start the server at once, and let its failure be told.
 */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('error', reject)
  server.listen(preferred, '127.0.0.1', () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close(() => resolve(port))
  })
  try {
    return await promise
  } catch (error) {
    if (preferred !== 0 && errorCode(error) === 'EADDRINUSE') return await freePort()
    throw error
  }
}
