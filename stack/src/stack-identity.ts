/** Who calls in a stack with a development issuer: what processes are told of it, and the token by which they ask each other. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { audience } from '@bidmesh/dev-issuer/clients.ts'
import { issuerPath } from '@bidmesh/dev-issuer/config.ts'
import { keepServiceToken } from '@bidmesh/dev-issuer/keep-service-token.ts'
import type { ProgressLog } from '@bidmesh/platform/process/progress-log.ts'

export type Identity = {
  /** The issuer, as it stands in tokens. */
  url: string
  /** For the issuer itself. */
  issuerEnv: Record<string, string>
  /** For everybody else. */
  env: Record<string, string>
  stop: () => Promise<void>
}

/** @param port that the issuer will have; the service token comes once it is there */
export async function createIdentity(port: number, log: ProgressLog): Promise<Identity> {
  const url = `http://localhost:${port}${issuerPath}`
  const directory = await mkdtemp(join(tmpdir(), 'bidmesh-identity-'))
  const file = join(directory, 'service-token')
  const stop = new AbortController()
  const warn = (words: string): void => log.info({}, words)
  void keepServiceToken({ issuer: url, file, signal: stop.signal, warn })
  return {
    url,
    issuerEnv: { DEV_ISSUER_URL: url },
    env: {
      AUTH_MODE: 'jwt',
      OIDC_ISSUER: url,
      OIDC_AUDIENCE: audience,
      SERVICE_TOKEN_FILE: file,
    },
    stop: async () => {
      stop.abort()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
