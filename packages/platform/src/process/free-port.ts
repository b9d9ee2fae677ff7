/** Finds TCP ports for servers that must be told theirs before they start. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { errorCode } from './errors.ts'

/**
 * Below what Linux (32768) and macOS (49152) hand out by themselves: between our look and the server's
 * own listening, which for RabbitMQ is ten seconds, no outgoing connection of anybody can take the port.
 */
const ports = { first: 20_000, end: 32_000 } as const
/** More taken ports in a row than any machine has by chance. */
const mostTries = 100

/**
 * A port of 127.0.0.1 that nobody listens on now: the preferred one if it is free, else one of 20000 to
 * 31999. Somebody else may take it before the caller does: start the server at once, and let its failure
 * be told.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred
  for (let tries = 0; tries < mostTries; tries += 1) {
    const port = randomInt(ports.first, ports.end)
    if (await isFree(port)) return port
  }
  throw new Error(
    `no port of ${ports.first}–${ports.end - 1} is free on 127.0.0.1: what holds them? (ss -ltn)`,
  )
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  server.once('error', reject)
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)))
  try {
    await promise
    return true
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return false
    throw error
  }
}
