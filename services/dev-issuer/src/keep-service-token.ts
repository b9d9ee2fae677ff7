/**
 * Keeps a file with a token of the role `service` fresh, for a process beside: what a CronJob or an agent does with a real
 * issuer. The file is there whole or as it was before.
 */
import { rename, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { fetchDevToken } from './fetch-token.ts'

/** A token is good for an hour; an issuer that has started anew has forgotten its keys, which this mends soon. */
const RENEW_MS = 30_000
/** Until the issuer is there. */
const RETRY_MS = 1_000

export type KeepOptions = {
  /** Where it can be reached from here. */
  issuer: string
  file: string
  signal: AbortSignal
  warn: (words: string) => void
}

/** Resolves once the file is there; goes on in the background until the signal aborts. */
export async function keepServiceToken(options: KeepOptions): Promise<void> {
  const { issuer, file, signal, warn } = options
  const { promise: isThere, resolve } = Promise.withResolvers<void>()
  async function keep(): Promise<void> {
    while (!signal.aborted) {
      let pauseMs = RENEW_MS
      try {
        await write(file, await fetchDevToken(issuer, { service: true }))
        resolve()
      } catch (error) {
        pauseMs = RETRY_MS
        warn(`no service token yet: ${messageOf(error)}`)
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    }
    resolve()
  }
  void keep()
  await isThere
}

async function write(file: string, token: string): Promise<void> {
  await writeFile(`${file}.new`, token, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
