/**
 * What callers are told of who they are: one code and one reason each, and for HTTP the challenge of RFC 6750. Why a
 * token was not believed is told to nobody.
 */
import { type Role, RoleSchema } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { errorInfo } from '../rpc/error-info.ts'

/** Of a caller who is not who they say, or does not say it. */
export function unauthenticated(reason: string, message: string, challenge: string): ConnectError {
  const headers = { 'www-authenticate': challenge }
  return new ConnectError(message, Code.Unauthenticated, headers, [errorInfo(reason)])
}

export function tokenMissing(): ConnectError {
  const message = 'a token is needed: Authorization: Bearer …'
  return unauthenticated('token_missing', message, 'Bearer')
}

export function tokenExpired(): ConnectError {
  const challenge = 'Bearer error="invalid_token", error_description="token expired"'
  return unauthenticated('token_expired', 'token expired: get a new one', challenge)
}

export function tokenInvalid(): ConnectError {
  const message =
    'the token is not believed: one header Authorization: Bearer, with a token of the issuer and for the audience ' +
    'that this server is set up for'
  return unauthenticated('token_invalid', message, 'Bearer error="invalid_token"')
}

/** Coming again helps: a retry info is added where the error leaves. */
export function keysUnavailable(cause: unknown): ConnectError {
  const message =
    'the keys of the token issuer are unavailable for the moment: send it again shortly'
  return new ConnectError(message, Code.Unavailable, undefined, undefined, cause)
}

function denied(reason: string, message: string, metadata?: Record<string, string>): ConnectError {
  return new ConnectError(message, Code.PermissionDenied, undefined, [errorInfo(reason, metadata)])
}

export function roleMissing(roles: readonly Role[]): ConnectError {
  const names = roles.map(roleName).join(', ')
  return denied('role_missing', `only for those with the role ${names}`, { roles: names })
}

export function otherUser(field: string): ConnectError {
  return denied('other_user', `${field} is not who calls: leave it empty`, { field })
}

export function internalOnly(): ConnectError {
  return denied('internal_only', 'only other services of Bidmesh may call this')
}

/** As tokens have it. */
export function roleName(role: Role): string {
  return RoleSchema.value[role]?.localName.toLowerCase() ?? ''
}
