/** A token of the development issuer for a program, by client credentials. */
import { clientIds, clientSecret } from './clients.ts'

const FETCH_LIMIT_MS = 5_000

export type TokenOwner =
  /** A script, as this user. */
  | { user: string }
  /** A service. */
  | { service: true }

/** @throws when the issuer gives none, with its words */
export async function fetchDevToken(issuer: string, owner: TokenOwner): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: 'user' in owner ? clientIds.scripts : clientIds.service,
    client_secret: clientSecret,
    ...('user' in owner && { user: owner.user }),
  })
  const signal = AbortSignal.timeout(FETCH_LIMIT_MS)
  const response = await fetch(`${issuer}/token`, { method: 'POST', body, signal })
  const answer: { access_token?: string; error_description?: string } = JSON.parse(
    await response.text(),
  )
  const { access_token: token, error_description: reason } = answer
  if (token === undefined) throw new Error(`${issuer} gives no token: ${reason ?? response.status}`)
  return token
}
