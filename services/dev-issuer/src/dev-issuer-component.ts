/**
 * An OpenID Connect issuer for development (oidc-provider) as a component, on the port of whoever serves it. Keys,
 * sessions and tokens are in memory: a new start signs everybody out. What must stay true: it is not for production, see
 * config.ts.
 */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Component } from '@bidmesh/platform/process/component.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import { type Configuration, type JWK, Provider } from 'oidc-provider'
import { audience, clientIds, clientsOf } from './clients.ts'
import { pagesOf, servePages } from './interactions.ts'
import { claimsOf } from './token-claims.ts'

/** Tokens of services and scripts, which are renewed by programs. */
const PROGRAM_TOKEN_SECONDS = 3_600
/** A sign-in, with everything that comes of it. */
const SESSION_SECONDS = 14 * 86_400
/** Between an address and the form that was sent from it. */
const STEP_SECONDS = 600

/** RFC 8707 wants a URI; in tokens stands the audience. */
const resource = 'urn:bidmesh:api'

export type DevIssuerOptions = {
  /** As it stands in tokens; its path is where it is on the port. */
  issuer: string
  /** Addresses of the web app, without a slash at the end. */
  webUrls: readonly string[]
  /** How long an access token of a user is good. */
  tokenSeconds: number
  log: Log
}

export function createDevIssuerComponent(options: DevIssuerOptions): Component {
  const { issuer, webUrls, log } = options
  const base = new URL(issuer).pathname.replace(/\/$/, '')
  const { privateKey, publicKey } = newKeys()
  const provider = new Provider(issuer, configurationOf(options, base, privateKey))
  provider.use(servePages(provider, { base, webUrls }))
  provider.on('server_error', (_ctx, err) => log.error({ err }, 'the development issuer failed'))
  log.warn({ issuer }, 'a development issuer: anybody gets in under any name')
  const answer = provider.callback()
  return {
    name: 'dev-issuer',
    services: [],
    issuerKeys: [publicKey],
    routes: () => undefined,
    handle: (request, response) => {
      const { url = '' } = request
      if (!url.startsWith(`${base}/`)) return false
      // As Express does it for what is mounted: the library finds its path by the difference.
      Object.assign(request, { originalUrl: url, url: url.slice(base.length) })
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Connect patched the types, no more
      void answer(request, response as ServerResponse)
      return true
    },
    pages: [`GET ${base}/.well-known/openid-configuration  the development issuer`],
    check: async () => undefined,
    stop: async () => undefined,
  }
}

function configurationOf(options: DevIssuerOptions, base: string, key: JWK): Configuration {
  const { webUrls, tokenSeconds } = options
  const pages = pagesOf(base)
  const origins = new Set(webUrls.map((url) => new URL(url).origin))
  return {
    clients: clientsOf(webUrls),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    clientBasedCORS: (_ctx, origin) => origins.has(origin),
    findAccount: async (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
    interactions: { url: (_ctx, { uid }) => `${base}/interaction/${uid}` },
    renderError: pages.renderError,
    loadExistingGrant,
    // Bound to the session: with a sign-out they end as well.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => true,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: pages.userCodeInputSource,
        userCodeConfirmSource: pages.userCodeConfirmSource,
        successSource: pages.successSource,
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: pages.logoutSource,
        postLogoutSuccessSource: pages.postLogoutSuccessSource,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => resource,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (_ctx, _resource, { clientId }) => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: isProgram(clientId) ? PROGRAM_TOKEN_SECONDS : tokenSeconds,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt: (ctx, token, parts) => {
          Object.assign(parts.payload, claimsOf(ctx, token))
        },
      },
    },
    ttl: {
      AuthorizationCode: 60,
      ClientCredentials: PROGRAM_TOKEN_SECONDS,
      DeviceCode: STEP_SECONDS,
      Grant: SESSION_SECONDS,
      IdToken: SESSION_SECONDS,
      Interaction: STEP_SECONDS,
      RefreshToken: SESSION_SECONDS,
      Session: SESSION_SECONDS,
    },
  }
}

function isProgram(clientId: string): boolean {
  return clientId === clientIds.scripts || clientId === clientIds.service
}

/** Nobody is asked whether they agree: the clients are our own. */
const loadExistingGrant: NonNullable<Configuration['loadExistingGrant']> = async ({ oidc }) => {
  const { client, session, provider } = oidc
  if (client === undefined || session?.accountId === undefined) return undefined
  const grantId = session.grantIdFor(client.clientId)
  const found = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  if (found) return found
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  grant.addOIDCScope('openid')
  await grant.save()
  return grant
}

function newKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const about = { kid: randomUUID(), alg: 'ES256', use: 'sig' }
  return {
    privateKey: { ...privateKey.export({ format: 'jwk' }), ...about },
    publicKey: { ...publicKey.export({ format: 'jwk' }), ...about },
  }
}
