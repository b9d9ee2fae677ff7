/** Whom a token is of and what they may, as Bidmesh reads it. A script says both itself, with `user` and `roles`. */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { clientIds } from './clients.ts'
import { isUserName, roleNames, rolesOf } from './users.ts'

export type Claims = { sub: string; roles: readonly string[] }

/** @param ctx of the request for the token */
export function claimsOf(
  ctx: KoaContextWithOIDC,
  { clientId = '', accountId }: { clientId?: string | undefined; accountId?: string | undefined },
): Claims {
  if (accountId !== undefined) return { sub: accountId, roles: rolesOf(accountId) }
  if (clientId !== clientIds.scripts) return { sub: clientId, roles: ['service'] }
  const sub = parameter(ctx, 'user') ?? clientId
  if (!isUserName(sub))
    throw new errors.InvalidRequest('user: expected 1 to 128 printable characters')
  const roles = parameter(ctx, 'roles')?.split(' ') ?? rolesOf(sub)
  const unknown = roles.find((role) => !roleNames.some((name) => name === role))
  if (unknown !== undefined)
    throw new errors.InvalidRequest(`roles: expected some of ${roleNames.join(', ')}, with spaces`)
  return { sub, roles }
}

function parameter(ctx: KoaContextWithOIDC, name: string): string | undefined {
  const value: unknown = ctx.oidc.body?.[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
