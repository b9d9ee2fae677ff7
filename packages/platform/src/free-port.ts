/** Finds TCP ports for servers that must be told theirs before they start. */
import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 that nobody listens on now. Somebody else may take it before the caller does: start
 * the server at once, and let its failure be told.
 */
export async function freePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close(() => resolve(port))
  })
  return await promise
}
