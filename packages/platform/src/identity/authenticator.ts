/**
 * Tells who calls, from the headers of a request and before anything else is done with it. A token is verified once:
 * the next request with the same one finds what was found, until the token ends or the issuer withdraws a key. That look
 * takes about a microsecond, and verifying a token of RS256 about a hundred.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { create } from '@bufbuild/protobuf'
import { Role, SubjectSchema } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { ConnectError } from '@connectrpc/connect'
import { errors, type JWK, type JWTPayload, jwtVerify } from 'jose'
import type { AuthConfig } from '../process/config.ts'
import type { Log } from '../process/log.ts'
import { checkRequest } from '../rpc/request-validator.ts'
import { keysUnavailable, roleName, tokenExpired, tokenInvalid } from './identity-errors.ts'
import { createIssuerKeys, KeysUnavailableError } from './issuer-keys.ts'
import { anonymous, type Identified, type Principal, trusted } from './principal.ts'

/** Tokens that are remembered: more than a process has callers at a time … */
const TOKENS_MAX = 10_000
/** … and no more memory than this, in characters of headers. */
const TOKENS_CHARACTERS_MAX = 16 * 1024 * 1024
/** Keycloak's, with all its roles, have 2 kB. */
const TOKEN_CHARACTERS_MAX = 8 * 1024

/** The part of a request that says who calls. */
export type Credentials = { headers: IncomingHttpHeaders; rawHeaders: readonly string[] }

export type Authenticator = {
  /** Never throws or rejects: whoever is not believed is a principal who is refused everywhere. */
  authenticate: (request: Credentials) => Principal | Promise<Principal>
  /** Rejects until tokens can be checked; absent where there are none. */
  check?: () => Promise<void>
  stop: () => void
}

const ignore = (): void => undefined

/** Trusted mode: requests say who calls. */
export const trustEverybody: Authenticator = { authenticate: () => trusted, stop: ignore }

/** For processes without procedures of their own: what they answer is for everybody. */
const knowNobody: Authenticator = { authenticate: () => anonymous, stop: ignore }

/**
 * As `AUTH_MODE` says; without it nobody is anybody.
 *
 * @param ownKeys of the issuer, when this process is the issuer
 */
export function createAuthenticator(
  config: Partial<AuthConfig>,
  log: Log,
  ownKeys: readonly JWK[] = [],
): Authenticator {
  const { AUTH_MODE: mode, OIDC_ISSUER: issuer } = config
  if (mode === 'trusted') return trustEverybody
  if (mode === undefined || issuer === undefined) return knowNobody
  return checkTokens({
    issuer,
    keysUrl: config.OIDC_KEYS_URL,
    ownKeys,
    audiences: config.OIDC_AUDIENCE ?? [],
    rolesClaim: config.OIDC_ROLES_CLAIM ?? '',
    algorithms: config.OIDC_ALGORITHMS ?? [],
    leewaySeconds: config.OIDC_LEEWAY_SECONDS ?? 0,
    log,
  })
}

export type TokenRules = {
  /** As it stands in tokens. */
  issuer: string
  /** Where its keys are; by its discovery when absent. */
  keysUrl?: string | undefined
  /** Instead of fetching any, unless there are none. */
  ownKeys?: readonly JWK[]
  /** A token is for one of them. */
  audiences: readonly string[]
  /** Its name, or its way through objects, e.g. `realm_access.roles`. */
  rolesClaim: string
  algorithms: readonly string[]
  /** Between clocks. */
  leewaySeconds: number
  log: Log
  /** Tests shorten it. */
  lookIntervalMs?: number
}

export function checkTokens(rules: TokenRules): Required<Authenticator> {
  const { issuer, log } = rules
  const known = createTokenMemory()
  const keys = createIssuerKeys({ ...rules, onWithdrawn: known.clear })

  async function verify(authorization: string): Promise<Principal> {
    const token = bearer.exec(authorization)?.[1]
    if (token === undefined || token.length > TOKEN_CHARACTERS_MAX) return refused(tokenInvalid())
    try {
      const { payload } = await jwtVerify(token, keys.find, {
        issuer,
        algorithms: [...rules.algorithms],
        clockTolerance: rules.leewaySeconds,
        requiredClaims: ['exp', 'sub'],
      })
      const principal = principalOf(payload, rules)
      known.remember(authorization, principal)
      return principal
    } catch (error) {
      return refused(reasonOf(error, log))
    }
  }

  return {
    authenticate(request) {
      const { authorization } = request.headers
      if (authorization === undefined) return anonymous
      // Whoever stands in front may have read the other one.
      if (isRepeated(request.rawHeaders)) return refused(tokenInvalid())
      const principal = known.find(authorization)
      if (!principal) return verify(authorization)
      if (Date.now() < principal.expiresAtMs) return principal
      known.forget(authorization)
      return refused(tokenExpired())
    },
    check: keys.check,
    stop: keys.stop,
  }
}

/** RFC 6750, 2.1, of a token in the compact form of RFC 7515; the scheme's case says nothing (RFC 9110, 11.1). */
const bearer = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

function isRepeated(rawHeaders: readonly string[]): boolean {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === 'authorization'.length && name.toLowerCase() === 'authorization') count += 1
  }
  return count > 1
}

function refused(reason: ConnectError): Principal {
  return { kind: 'refused', reason }
}

function reasonOf(error: unknown, log: Log): ConnectError {
  if (error instanceof KeysUnavailableError) return keysUnavailable(error)
  // Its signature is good.
  if (error instanceof errors.JWTExpired) return tokenExpired()
  const isWrong = error instanceof errors.JOSEError || error instanceof ConnectError
  if (isWrong) log.debug({ reason: error.message }, 'a token is not believed')
  else log.warn({ err: error }, 'a token could not be verified')
  return tokenInvalid()
}

type Believed = Identified & { expiresAtMs: number }

/** Throws what is wrong with the claims of a token whose signature, issuer and times are right. */
function principalOf(
  payload: JWTPayload,
  { audiences, rolesClaim, leewaySeconds }: TokenRules,
): Believed {
  const { sub = '', exp = 0 } = payload
  if (!audiencesOf(payload).some((audience) => audiences.includes(audience)))
    throw new errors.JWTClaimValidationFailed(
      'not for this audience',
      payload,
      'aud',
      'check_failed',
    )
  checkRequest(SubjectSchema, create(SubjectSchema, { userId: sub }))
  return {
    kind: 'identified',
    subject: sub,
    roles: new Set(wordsOf(claimOf(payload, rolesClaim)).flatMap((name) => roles.get(name) ?? [])),
    expiresAtMs: (exp + leewaySeconds) * 1_000,
  }
}

/** Access tokens of Amazon Cognito name the client for which they are in place of an audience. */
function audiencesOf({ aud, token_use: use, client_id: client }: JWTPayload): readonly string[] {
  if (aud !== undefined) return [aud].flat()
  return use === 'access' && typeof client === 'string' ? [client] : []
}

/** By its whole name first: those of Auth0 are addresses, with dots. */
function claimOf(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path]
  let found: unknown = payload
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = Reflect.get(found, name)
  }
  return found
}

/** A list, or one string with spaces, as scopes are written. */
function wordsOf(claim: unknown): string[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim.filter((word) => typeof word === 'string') : []
}

const roles: ReadonlyMap<string, Role> = new Map(
  [Role.BIDDER, Role.SELLER, Role.ANALYST, Role.OPERATOR, Role.SERVICE].map((role) => [
    roleName(role),
    role,
  ]),
)

/** Verified tokens by their header; the one that came first goes first. */
function createTokenMemory() {
  const tokens = new Map<string, Believed>()
  let characters = 0
  const forget = (authorization: string): void => {
    if (tokens.delete(authorization)) characters -= authorization.length
  }
  return {
    find: (authorization: string) => tokens.get(authorization),
    forget,
    remember: (authorization: string, principal: Believed): void => {
      forget(authorization)
      tokens.set(authorization, principal)
      characters += authorization.length
      for (const [oldest] of tokens) {
        if (tokens.size <= TOKENS_MAX && characters <= TOKENS_CHARACTERS_MAX) return
        forget(oldest)
      }
    },
    clear: (): void => {
      tokens.clear()
      characters = 0
    },
  }
}
