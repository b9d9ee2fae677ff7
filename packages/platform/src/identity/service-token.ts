/**
 * The token by which this service calls others: a file that somebody else writes (a secret that is renewed, a sidecar with
 * client credentials) and that is read again when it has changed.
 */
import { readFile } from 'node:fs/promises'
import { messageOf, TransientError } from '../process/errors.ts'

/** How late a change is noticed. */
const READ_INTERVAL_MS = 1_000

/** @param now the clock in ms, for tests */
export function serviceTokenOf(file: string, now = () => performance.now()): () => Promise<string> {
  let token: Promise<string> | undefined
  let readAtMs = -Infinity
  return () => {
    if (token === undefined || now() - readAtMs >= READ_INTERVAL_MS) {
      readAtMs = now()
      token = readToken(file)
    }
    return token
  }
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new TransientError(`SERVICE_TOKEN_FILE cannot be read: ${messageOf(error)}`)
  }
}
