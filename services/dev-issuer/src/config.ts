/**
 * The environment of the development issuer; the only file here that reads it. Anybody may sign in under any name, so it
 * starts on no machine that calls itself production, and under no name by which others could find it.
 */
import {
  hostNames,
  loopbackUrl,
  loopbackUrls,
  processShape,
  readConfig,
  serviceTokenFile,
  serviceUrl,
  wholeNumber,
} from '@bidmesh/platform/process/config.ts'
import { StartError } from '@bidmesh/platform/process/start-error.ts'

export const issuerPath = '/oidc'

/** Of access tokens: long enough to forget them, short enough to see them renewed. */
const TOKEN_SECONDS = 300

export const tokenSeconds = () => wholeNumber(2, 86_400).default(TOKEN_SECONDS)

/** The image says that it is for production: whoever wants this process of it says that it is not. */
export function refuseProduction(env: NodeJS.ProcessEnv = process.env): void {
  if (env['NODE_ENV'] !== 'production') return
  throw new StartError(
    'the development issuer lets anybody in under any name, and NODE_ENV is production: ' +
      'use a real issuer (docs/identity.md), or say NODE_ENV=development on a machine that strangers cannot reach',
  )
}

/** Of who keeps a token beside another process. */
export function readServiceTokenConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    { DEV_ISSUER_URL: serviceUrl(), SERVICE_TOKEN_FILE: serviceTokenFile({ AUTH_MODE: 'jwt' }) },
    env,
  )
}

export function readDevIssuerConfig(env?: NodeJS.ProcessEnv) {
  refuseProduction(env)
  const { DEV_ISSUER_URL, ...rest } = readConfig(
    {
      ...processShape,
      // Besides localhost and addresses: no name that somebody else points here.
      ALLOWED_HOSTS: hostNames().default([]),
      /** The issuer as it stands in tokens, and its path here. */
      DEV_ISSUER_URL: loopbackUrl().default(`http://localhost:8080${issuerPath}`),
      /** Where the web app is, which may be at several addresses. */
      DEV_ISSUER_WEB_URLS: loopbackUrls().optional(),
      DEV_ISSUER_TOKEN_SECONDS: tokenSeconds(),
    },
    env,
  )
  const { DEV_ISSUER_WEB_URLS = [new URL(DEV_ISSUER_URL).origin] } = rest
  return { ...rest, DEV_ISSUER_URL, DEV_ISSUER_WEB_URLS }
}
