/** A token issuer as OpenID Connect has them, for tests: discovery, keys, and tokens of every kind, good and bad. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import {
  base64url,
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  SignJWT,
} from 'jose'

/** Undefined leaves one out. */
export type Claims = Record<string, unknown>

type Key = { kid: string; alg: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK }

export type TestIssuer = Awaited<ReturnType<typeof startTestIssuer>>

export const audience = 'bidmesh'

/** Seconds since 1970. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds
}

export async function startTestIssuer() {
  let keys = [await createKey('RS256')]
  let isAway = false
  let fetches = 0
  let issuer = ''
  const server = createServer((request, response) => {
    const documents: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
      '/keys': { keys: keys.map(({ jwk }) => jwk) },
    }
    if (request.url === '/keys') fetches += 1
    if (isAway) response.destroy()
    else response.end(JSON.stringify(documents[request.url ?? ''] ?? null))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  issuer = `http://127.0.0.1:${address.port}`
  const currentKey = (): Key => {
    const key = keys.at(-1)
    if (!key) throw new Error('no key')
    return key
  }
  const sign = (claims: Claims, { kid, alg, privateKey } = currentKey()) =>
    new SignJWT(claimsOf(issuer, claims)).setProtectedHeader({ alg, kid }).sign(privateKey)

  return {
    url: issuer,
    /** A good one, but for what the claims say otherwise. */
    token: (claims: Claims) => sign(claims),
    /** Signed with the public key, as a secret that everybody knows. */
    async tokenBySecret(claims: Claims): Promise<string> {
      const { kid, publicKey } = currentKey()
      const secret = new TextEncoder().encode(await exportSPKI(publicKey))
      return await new SignJWT(claimsOf(issuer, claims))
        .setProtectedHeader({ alg: 'HS256', kid })
        .sign(secret)
    },
    unsignedToken: (claims: Claims) => unsigned(claimsOf(issuer, claims)),
    /** Under the name of a key of ours. */
    async tokenOfStranger(claims: Claims): Promise<string> {
      const { privateKey } = await createKey('RS256')
      return await sign(claims, { ...currentKey(), privateKey })
    },
    /** Signs with a new key from now on. */
    async rotate(alg = 'RS256'): Promise<void> {
      keys.push(await createKey(alg))
    },
    withdrawOldKeys(): void {
      keys = keys.slice(-1)
    },
    goAway(): void {
      isAway = true
    },
    comeBack(): void {
      isAway = false
    },
    /** How often keys were fetched. */
    fetches: () => fetches,
    stop(): void {
      server.close()
      server.closeAllConnections()
    },
  }
}

function claimsOf(issuer: string, claims: Claims): Claims {
  return { iss: issuer, aud: audience, exp: inSeconds(300), ...claims }
}

function unsigned(claims: Claims): string {
  const parts = [{ alg: 'none' }, claims].map((part) => base64url.encode(JSON.stringify(part)))
  return `${parts.join('.')}.`
}

let count = 0

async function createKey(alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  count += 1
  const kid = `key-${count}`
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  return { kid, alg, privateKey, publicKey, jwk }
}
