/**
 * What the web app is told of how people sign in, as `/config.json`, and what its pages may therefore reach: a browser
 * asks the issuer for tokens, by `fetch`.
 */
import type { SignInConfig } from '@bidmesh/platform/process/config.ts'

/** `/config.json`. */
export type SignIn =
  /** Whoever looks chooses a name. */
  | { mode: 'trusted' }
  /** By an OpenID Connect issuer; without a client nobody can. */
  | { mode: 'jwt'; issuer: string; clientId?: string; scope: string; rolesClaim: string }

export function signInOf(config: SignInConfig): SignIn {
  const { OIDC_ISSUER: issuer, OIDC_WEB_CLIENT_ID: clientId } = config
  if (config.AUTH_MODE === 'trusted' || issuer === undefined) return { mode: 'trusted' }
  const { OIDC_WEB_SCOPE: scope, OIDC_ROLES_CLAIM: rolesClaim } = config
  return { mode: 'jwt', issuer, scope, rolesClaim, ...(clientId !== undefined && { clientId }) }
}

/** Origins besides our own that the app calls: for `connect-src` of its pages. */
export function signInOrigins(signIn: SignIn): string[] {
  return signIn.mode === 'jwt' ? [new URL(signIn.issuer).origin] : []
}
