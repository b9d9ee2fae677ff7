/**
 * The services for demo items and bots, who are many people: each call is of whom its request names, with a token of theirs
 * where the development issuer gives them to everybody.
 */
import type { BidmeshClient } from '@bidmesh/client'
import { createBidmeshClient } from '@bidmesh/client/node'
import { fetchDevToken } from '@bidmesh/dev-issuer/fetch-token.ts'
import type { Interceptor } from '@connectrpc/connect'

/** A call that takes longer is given up. None is cut off by a stop: a bid in hand may be decided already. */
const CALL_LIMIT_MS = 5_000
/** A token is good for an hour. */
const TOKEN_KEPT_MS = 30 * 60_000

/** @param issuer the development issuer; absent: requests are believed */
export function createDemoClient(url: string, issuer?: string): BidmeshClient {
  const interceptors = issuer === undefined ? [] : [asWhomItNames(issuer)]
  return createBidmeshClient({ baseUrl: url, timeoutMs: CALL_LIMIT_MS, interceptors })
}

function asWhomItNames(issuer: string): Interceptor {
  const tokens = new Map<string, { token: Promise<string>; untilMs: number }>()
  const tokenOf = async (user: string): Promise<string> => {
    const known = tokens.get(user)
    if (known && performance.now() < known.untilMs) return await known.token
    const token = fetchDevToken(issuer, { user })
    tokens.set(user, { token, untilMs: performance.now() + TOKEN_KEPT_MS })
    token.catch(() => tokens.delete(user))
    return await token
  }
  return (next) => async (request) => {
    const user = request.stream ? undefined : userOf(request.message)
    if (user !== undefined) request.header.set('authorization', `Bearer ${await tokenOf(user)}`)
    return await next(request)
  }
}

function userOf(message: object): string | undefined {
  const named: unknown = Reflect.get(message, 'userId') ?? Reflect.get(message, 'sellerId')
  return typeof named === 'string' && named !== '' ? named : undefined
}
