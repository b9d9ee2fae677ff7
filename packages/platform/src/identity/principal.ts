/**
 * Who calls: known before any handler, stream or page sees a request, and never changed after. Handlers find it in
 * their context under {@link principalKey}.
 */
import { Role } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { type ConnectError, createContextKey } from '@connectrpc/connect'

/** Somebody whose token has been checked, or a service of this process. */
export type Identified = {
  readonly kind: 'identified'
  /** The token's subject: a user id. */
  readonly subject: string
  readonly roles: ReadonlySet<Role>
  /** When the token is believed no more: its end, and the leeway for clocks. Undefined: never. */
  readonly expiresAtMs: number | undefined
}

export type Principal =
  | Identified
  /** No token. */
  | { readonly kind: 'anonymous' }
  /** Trusted mode: the request says who calls, and is believed. */
  | { readonly kind: 'trusted' }
  /** A token that is not believed: every procedure answers with the reason. */
  | { readonly kind: 'refused'; readonly reason: ConnectError }

export const anonymous: Principal = { kind: 'anonymous' }
export const trusted: Principal = { kind: 'trusted' }

/** A service that calls another one within its process. */
export const ownService: Principal = {
  kind: 'identified',
  subject: 'bidmesh',
  roles: new Set([Role.SERVICE]),
  expiresAtMs: undefined,
}

/**
 * Who is told of whom: operators and services of everybody. In trusted mode everybody is, as everybody may say that they are
 * anybody.
 *
 * @param userId who the request says it is of, in trusted mode
 */
export function readerOf(principal: Principal, userId = ''): { userId: string; seesAll: boolean } {
  if (principal.kind === 'trusted') return { userId, seesAll: true }
  if (principal.kind !== 'identified') return { userId: '', seesAll: false }
  const seesAll = hasRole(principal, [Role.OPERATOR, Role.SERVICE])
  return { userId: principal.subject, seesAll }
}

/** Nobody, where nobody has said who calls. */
export const principalKey = createContextKey<Principal>(anonymous, { description: 'principal' })

export function hasRole(principal: Principal, roles: readonly Role[]): boolean {
  return principal.kind === 'identified' && roles.some((role) => principal.roles.has(role))
}
