/**
 * What an access token says of its owner, so that the app offers what they may do. Nothing is trusted to it: the server
 * verifies each token, and decides.
 */

/** Whom the server takes the caller for, and their roles. */
export type Person = { userId: string; roles: ReadonlySet<string> }

/**
 * @param rolesClaim the name of a claim, or its way through objects, such as `realm_access.roles`
 * @param subject for a token that is no JWT
 */
export function personOf(token: string, rolesClaim: string, subject: string): Person {
  const claims = claimsOf(token)
  const sub = claims['sub']
  const roles = Object.hasOwn(claims, rolesClaim) ? claims[rolesClaim] : deep(claims, rolesClaim)
  return { userId: typeof sub === 'string' ? sub : subject, roles: new Set(words(roles)) }
}

function claimsOf(token: string): Record<string, unknown> {
  try {
    const text = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(text), (sign) => sign.codePointAt(0) ?? 0)
    return { ...JSON.parse(new TextDecoder().decode(bytes)) }
  } catch {
    return {}
  }
}

function deep(claims: object, path: string): unknown {
  let found: unknown = claims
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = Reflect.get(found, name)
  }
  return found
}

/** A list, or one string with spaces. */
function words(claim: unknown): string[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim.filter((word) => typeof word === 'string') : []
}
