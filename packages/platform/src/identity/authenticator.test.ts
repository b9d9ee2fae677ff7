/** Tokens of a real issuer on a real port, good and bad: who they make of their bearer, and how often keys are fetched. */
import { ErrorInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import { Role } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { Code } from '@connectrpc/connect'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { audience, inSeconds, startTestIssuer, type TestIssuer } from '../testing/test-issuer.ts'
import { eventually } from '../testing/eventually.ts'
import { quietLog } from '../testing/test-server.ts'
import { checkTokens, type TokenRules } from './authenticator.ts'
import type { Principal } from './principal.ts'

const undo: (() => void)[] = []
afterEach(() => undo.splice(0).forEach((step) => step()))

async function start(changes: Partial<TokenRules> = {}) {
  const issuer = await startTestIssuer()
  const { authenticate, check, stop } = checkTokens({
    issuer: issuer.url,
    audiences: [audience],
    rolesClaim: 'roles',
    algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    leewaySeconds: 5,
    log: quietLog,
    ...changes,
  })
  undo.push(stop, issuer.stop)
  const show = (authorization: string) =>
    authenticate({
      headers: { authorization },
      rawHeaders: ['Host', 'test', 'Authorization', authorization],
    })
  const showToken = (token: string) => show(`Bearer ${token}`)
  return { issuer, authenticate, check, show, showToken }
}

/** What a caller is told. */
function reasonOf(principal: Principal): string | undefined {
  if (principal.kind !== 'refused') return principal.kind
  const { reason } = principal
  return `${Code[reason.code]} ${reason.findDetails(ErrorInfoSchema)[0]?.reason ?? ''}`.trim()
}

describe('a good token', () => {
  test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('of %s', async (alg) => {
    const { issuer, showToken } = await start({ lookIntervalMs: 0 })
    await issuer.rotate(alg)
    const exp = inSeconds(60)
    const token = await issuer.token({ sub: 'ann', exp, roles: ['bidder', 'operator', 'king'] })
    expect(await showToken(token)).toEqual({
      kind: 'identified',
      subject: 'ann',
      roles: new Set([Role.BIDDER, Role.OPERATOR]),
      expiresAtMs: (exp + 5) * 1_000,
    })
  })

  test.each([
    ['realm_access.roles', { realm_access: { roles: ['seller'] } }],
    ['https://auction.example/roles', { 'https://auction.example/roles': ['seller'] }],
    ['cognito:groups', { 'cognito:groups': ['seller'] }],
    ['scope', { scope: 'openid seller' }],
  ])('has its roles in %s', async (rolesClaim, claims) => {
    const { issuer, showToken } = await start({ rolesClaim })
    const principal = await showToken(await issuer.token({ sub: 'ann', ...claims }))
    expect(principal).toMatchObject({ roles: new Set([Role.SELLER]) })
  })

  test.each([
    ['no roles', {}],
    ['roles of another kind', { roles: { bidder: true } }],
    ['roles within something else', { roles: [['bidder'], 7, null] }],
  ])('with %s has none', async (_, claims) => {
    const { issuer, showToken } = await start()
    const principal = await showToken(await issuer.token({ sub: 'ann', ...claims }))
    expect(principal).toMatchObject({ kind: 'identified', roles: new Set() })
  })

  test('may be for several audiences, and of Cognito for a client', async () => {
    const { issuer, showToken } = await start({ audiences: ['a', 'b'] })
    const cognito = { sub: 'ann', aud: undefined, token_use: 'access', client_id: 'b' }
    for (const claims of [{ sub: 'ann', aud: ['x', 'b'] }, cognito])
      expect(await showToken(await issuer.token(claims))).toMatchObject({ subject: 'ann' })
    const other = await issuer.token({ ...cognito, client_id: 'c' })
    expect(reasonOf(await showToken(other))).toBe('Unauthenticated TOKEN_INVALID')
  })

  test('is shown as the standard has it, whatever the case of its scheme', async () => {
    const { issuer, show } = await start()
    const token = await issuer.token({ sub: 'ann' })
    for (const scheme of ['bearer ', 'BEARER ', 'Bearer  '])
      expect(await show(scheme + token)).toMatchObject({ subject: 'ann' })
  })

  test('is verified once: the same one is known at once, until it ends', async () => {
    const { issuer, showToken } = await start()
    const token = await issuer.token({ sub: 'ann', exp: inSeconds(60) })
    const first = await showToken(token)
    const again = showToken(token)
    expect(again).toBe(first)
    vi.setSystemTime(Date.now() + 70_000)
    undo.push(vi.useRealTimers)
    expect(reasonOf(await showToken(token))).toBe('Unauthenticated TOKEN_EXPIRED')
  })

  test('is believed some seconds before its time and after it, for clocks', async () => {
    const { issuer, showToken } = await start({ leewaySeconds: 60 })
    for (const claims of [{ exp: inSeconds(-50) }, { nbf: inSeconds(50) }])
      expect(await showToken(await issuer.token({ sub: 'ann', ...claims }))).toMatchObject({
        subject: 'ann',
      })
  })
})

test('no token is nobody', async () => {
  const { authenticate } = await start()
  expect(authenticate({ headers: {}, rawHeaders: [] })).toEqual({ kind: 'anonymous' })
})

const longSub = 'a'.repeat(129)
const bad: Record<string, (issuer: TestIssuer) => string | Promise<string>> = {
  'not yet good': (issuer) => issuer.token({ sub: 'ann', nbf: inSeconds(60) }),
  'of another issuer': (issuer) => issuer.token({ sub: 'ann', iss: 'https://evil.example' }),
  'for somebody else': (issuer) => issuer.token({ sub: 'ann', aud: 'another' }),
  'for nobody': (issuer) => issuer.token({ sub: 'ann', aud: undefined }),
  'without an end': (issuer) => issuer.token({ sub: 'ann', exp: undefined }),
  'of nobody': (issuer) => issuer.token({ roles: ['operator'] }),
  'of the empty user': (issuer) => issuer.token({ sub: '' }),
  'of a user with too long an id': (issuer) => issuer.token({ sub: longSub }),
  'of a user that cannot be seen': (issuer) => issuer.token({ sub: 'ann\u200B' }),
  'without a signature': (issuer) => issuer.unsignedToken({ sub: 'ann' }),
  'signed with the public key': (issuer) => issuer.tokenBySecret({ sub: 'ann' }),
  'signed by a stranger': (issuer) => issuer.tokenOfStranger({ sub: 'ann' }),
  'with another’s claims': async (issuer) => {
    const [ann, bert] = await Promise.all([
      issuer.token({ sub: 'ann' }),
      issuer.token({ sub: 'bert' }),
    ])
    return [ann.split('.')[0], bert.split('.')[1], ann.split('.')[2]].join('.')
  },
  garbage: () => 'a.b.c',
  'too long': (issuer) => issuer.token({ sub: 'ann', fill: 'x'.repeat(8_000) }),
}

describe('nobody is somebody by a token', () => {
  test.each(Object.keys(bad))('%s', async (name) => {
    const { issuer, showToken } = await start()
    const token = (await bad[name]?.(issuer)) ?? ''
    expect(reasonOf(await showToken(token))).toBe('Unauthenticated TOKEN_INVALID')
  })

  test('of an algorithm that is not allowed', async () => {
    const { issuer, showToken } = await start({ algorithms: ['ES256'] })
    const token = await issuer.token({ sub: 'ann' })
    expect(reasonOf(await showToken(token))).toBe('Unauthenticated TOKEN_INVALID')
  })

  test('that has ended, and is told so only if it was good', async () => {
    const { issuer, showToken } = await start()
    const ended = { sub: 'ann', exp: inSeconds(-6) }
    expect(reasonOf(await showToken(await issuer.token(ended)))).toBe(
      'Unauthenticated TOKEN_EXPIRED',
    )
    expect(reasonOf(await showToken(await issuer.tokenOfStranger(ended)))).toBe(
      'Unauthenticated TOKEN_INVALID',
    )
  })

  test.each(['', 'Bearer', 'Bearer ', 'Basic YW5uOmFubg==', 'Bearer \0\xff', 'Bearer a b'])(
    'of the header %j',
    async (header) => {
      const { show } = await start()
      expect(reasonOf(await show(header))).toBe('Unauthenticated TOKEN_INVALID')
    },
  )

  test('beside another', async () => {
    const { issuer, authenticate } = await start()
    const header = `Bearer ${await issuer.token({ sub: 'ann' })}`
    const once = ['Authorization', header]
    const headers = { authorization: header }
    expect(await authenticate({ headers, rawHeaders: once })).toMatchObject({ subject: 'ann' })
    const twice = await authenticate({
      headers,
      rawHeaders: [...once, 'authorization', 'Bearer x'],
    })
    expect(reasonOf(twice)).toBe('Unauthenticated TOKEN_INVALID')
  })
})

describe('the issuer’s keys', () => {
  test('are fetched once, whatever is shown', async () => {
    const { issuer, showToken } = await start()
    for (let user = 0; user < 20; user += 1)
      expect(await showToken(await issuer.token({ sub: `user-${user}` }))).toMatchObject({
        kind: 'identified',
      })
    expect(issuer.fetches()).toBe(1)
    const stranger = await startTestIssuer()
    undo.push(stranger.stop)
    await stranger.rotate()
    for (let user = 0; user < 20; user += 1) {
      const token = await stranger.token({ iss: issuer.url, sub: `user-${user}` })
      expect(reasonOf(await showToken(token))).toBe('Unauthenticated TOKEN_INVALID')
    }
    expect(issuer.fetches()).toBe(1)
  })

  test('are looked for again when there is a new one', async () => {
    const { issuer, showToken } = await start({ lookIntervalMs: 0 })
    const old = await issuer.token({ sub: 'ann' })
    expect(await showToken(old)).toMatchObject({ subject: 'ann' })
    await issuer.rotate()
    expect(await showToken(await issuer.token({ sub: 'bert' }))).toMatchObject({ subject: 'bert' })
    expect(issuer.fetches()).toBe(2)
    expect(showToken(old)).toMatchObject({ subject: 'ann' })
  })

  test('are believed no more when the issuer has withdrawn them, nor what was verified with them', async () => {
    const { issuer, showToken } = await start({ lookIntervalMs: 0 })
    const old = await issuer.token({ sub: 'ann' })
    expect(await showToken(old)).toMatchObject({ subject: 'ann' })
    await issuer.rotate()
    issuer.withdrawOldKeys()
    await showToken(await issuer.token({ sub: 'bert' }))
    expect(reasonOf(await showToken(old))).toBe('Unauthenticated TOKEN_INVALID')
  })

  test('are enough while the issuer is away; of a key that is new nobody can say', async () => {
    const { issuer, check, showToken } = await start({ lookIntervalMs: 0 })
    await showToken(await issuer.token({ sub: 'ann' }))
    issuer.goAway()
    expect(await showToken(await issuer.token({ sub: 'bert' }))).toMatchObject({ subject: 'bert' })
    await check()
    await issuer.rotate()
    const token = await issuer.token({ sub: 'cleo' })
    expect(reasonOf(await showToken(token))).toBe('Unavailable')
    issuer.comeBack()
    expect(await showToken(token)).toMatchObject({ subject: 'cleo' })
  })

  test('are waited for when the issuer comes later than we', async () => {
    const issuer = await startTestIssuer()
    issuer.goAway()
    undo.push(issuer.stop)
    const { check, showToken } = await start({ issuer: issuer.url })
    const token = await issuer.token({ sub: 'ann' })
    expect(reasonOf(await showToken(token))).toBe('Unavailable')
    await expect(check()).rejects.toThrow('no keys of http://127.0.0.1')
    issuer.comeBack()
    await eventually(check)
    expect(await showToken(token)).toMatchObject({ subject: 'ann' })
  })

  test('are not those of somebody who says that they are another', async () => {
    const { issuer } = await start()
    const { check } = await start({ issuer: `${issuer.url}/` })
    await eventually(() => expect(check()).rejects.toThrow('is of another issuer'))
  })
})
