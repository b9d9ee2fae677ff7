/**
 * The public keys of the token issuer, found by OpenID Connect discovery. They are fetched in the background: no request
 * fetches any, but for a token of a key not known yet, and that at most every ten seconds, whoever asks. What is
 * known stays known while the issuer is away. (jose's `createRemoteJWKSet` believes in nothing any more when its copy is
 * old and the issuer away, and asks an issuer that is away with each unknown key.)
 *
 * Discovery: https://openid.net/specs/openid-connect-discovery-1_0.html
 */
import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { messageOf, TransientError } from '../process/errors.ts'
import type { Log } from '../process/log.ts'

/** How long a key that the issuer has withdrawn is still believed. */
const REFRESH_INTERVAL_MS = 10 * 60_000
/** Until there are keys. */
const FIRST_INTERVAL_MS = 1_000
/** A key that is new is looked for no more often than this. */
const LOOK_INTERVAL_MS = 10_000
const FETCH_LIMIT_MS = 5_000

/** Keys are wanted that may exist, and the issuer cannot be asked. */
export class KeysUnavailableError extends TransientError {
  override name = 'KeysUnavailableError'
}

export type IssuerKeys = {
  /** For jose. Rejects with {@link KeysUnavailableError} when nobody can say whether there is such a key. */
  find: JWTVerifyGetKey
  /** Rejects until there are keys. */
  check: () => Promise<void>
  stop: () => void
}

export type IssuerKeysOptions = {
  issuer: string
  /** Instead of discovery. */
  keysUrl?: string | undefined
  /** Instead of fetching any, unless there are none. */
  ownKeys?: readonly JWK[]
  log: Log
  /** The issuer has withdrawn a key. */
  onWithdrawn: () => void
  /** Tests shorten it. */
  lookIntervalMs?: number
}

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) })
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) })

export function createIssuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const {
    issuer,
    keysUrl,
    ownKeys = [],
    log,
    onWithdrawn,
    lookIntervalMs = LOOK_INTERVAL_MS,
  } = options
  if (ownKeys.length > 0) return keysOfOurs(ownKeys)
  let find: JWTVerifyGetKey | undefined
  let known: string[] = []
  let askedAtMs = -Infinity
  let failure: unknown
  let loading: Promise<void> | undefined

  async function load(): Promise<void> {
    try {
      const { keys } = await fetchKeys(issuer, keysUrl)
      find = createLocalJWKSet({ keys })
      const now = keys.map((key) => JSON.stringify(key))
      if (known.some((key) => !now.includes(key))) onWithdrawn()
      known = now
      if (failure !== undefined) log.info({ issuer }, 'the token issuer answers again')
      failure = undefined
    } catch (error) {
      if (failure === undefined)
        log.warn({ issuer, reason: messageOf(error) }, 'the keys of the token issuer cannot be had')
      failure = error
    }
  }
  /** One at a time, for all who ask. */
  const look = (): Promise<void> => {
    if (loading) return loading
    askedAtMs = performance.now()
    loading = load().finally(() => (loading = undefined))
    return loading
  }
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const lookOnAndOn = async (): Promise<void> => {
    await look()
    if (stopped) return
    timer = setTimeout(() => void lookOnAndOn(), find ? REFRESH_INTERVAL_MS : FIRST_INTERVAL_MS)
  }
  void lookOnAndOn()

  async function findKey(...token: Parameters<JWTVerifyGetKey>) {
    if (!find) await loading
    if (!find) throw new KeysUnavailableError(messageOf(failure))
    try {
      return await find(...token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (loading || performance.now() - askedAtMs >= lookIntervalMs) await look()
      if (failure !== undefined) throw new KeysUnavailableError(messageOf(failure))
      return await find(...token)
    }
  }

  return {
    find: findKey,
    check: async () => {
      if (!find) throw new KeysUnavailableError(`no keys of ${issuer} yet: ${messageOf(failure)}`)
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

function keysOfOurs(keys: readonly JWK[]): IssuerKeys {
  const find = createLocalJWKSet({ keys: [...keys] })
  return { find, check: async () => undefined, stop: () => undefined }
}

async function fetchKeys(issuer: string, keysUrl: string | undefined) {
  if (keysUrl !== undefined) return keySet.parse(await fetchJson(keysUrl))
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const found = discovered.parse(await fetchJson(address))
  // Somebody else's keys would let somebody else in.
  if (found.issuer !== issuer) throw new Error(`${address} is of another issuer: ${found.issuer}`)
  return keySet.parse(await fetchJson(found.jwks_uri))
}

async function fetchJson(address: string): Promise<unknown> {
  const response = await fetch(address, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(FETCH_LIMIT_MS),
  })
  if (!response.ok) throw new Error(`${address} answers ${response.status}`)
  return await response.json()
}
