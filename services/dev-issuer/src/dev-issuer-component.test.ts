/** The development issuer on a real port, beside an authenticator as every process has one. */
import { Role } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { checkTokens } from '@bidmesh/platform/identity/authenticator.ts'
import type { Principal } from '@bidmesh/platform/identity/principal.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { startServer, type Server } from '@bidmesh/platform/server/server.ts'
import { trustEverybody } from '@bidmesh/platform/identity/authenticator.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { audience, clientIds, clientSecret } from './clients.ts'
import { createDevIssuerComponent } from './dev-issuer-component.ts'
import { fetchDevToken } from './fetch-token.ts'

let server: Server
let issuer: string

beforeEach(async () => {
  const port = await freePort()
  issuer = `http://localhost:${port}/oidc`
  const webUrls = [`http://localhost:${port}`]
  server = await startServer({
    host: '127.0.0.1',
    port,
    components: [createDevIssuerComponent({ issuer, webUrls, tokenSeconds: 60, log: quietLog })],
    authenticator: trustEverybody,
    log: quietLog,
    metricsText: async () => '',
    finishLimitMs: 1_000,
  })
})

afterEach(async () => await server.stop())

const rules = {
  audiences: [audience],
  rolesClaim: 'roles',
  algorithms: ['ES256'],
  leewaySeconds: 0,
}

/** As a process would take the token that looks for the keys at `keysUrl`, or by discovery. */
async function principalOf(token: string, keysUrl?: string): Promise<Principal> {
  const authenticator = checkTokens({ ...rules, issuer, keysUrl, log: quietLog })
  try {
    await eventually(authenticator.check)
    const headers = { authorization: `Bearer ${token}` }
    return await authenticator.authenticate({ headers, rawHeaders: [] })
  } finally {
    authenticator.stop()
  }
}

async function ask(path: string, fields: Record<string, string>) {
  const response = await fetch(`${issuer}${path}`, {
    method: 'POST',
    body: new URLSearchParams(fields),
  })
  const answer: Record<string, string> = JSON.parse(await response.text())
  return { status: response.status, answer }
}

const byScript = {
  grant_type: 'client_credentials',
  client_id: clientIds.scripts,
  client_secret: clientSecret,
}

describe('a token for a program', () => {
  it('is of the user that a script names, with what they may', async () => {
    expect(await principalOf(await fetchDevToken(issuer, { user: 'olga' }))).toMatchObject({
      kind: 'identified',
      subject: 'olga',
      roles: new Set([Role.OPERATOR]),
    })
    const anybody = await fetchDevToken(issuer, { user: 'Zoë' })
    expect(await principalOf(anybody)).toMatchObject({
      subject: 'Zoë',
      roles: new Set([Role.BIDDER, Role.SELLER]),
    })
  })

  it('has the roles that a script asks for', async () => {
    const { answer } = await ask('/token', {
      ...byScript,
      user: 'ann',
      roles: 'bidder analyst',
    })
    const roles = new Set([Role.BIDDER, Role.ANALYST])
    expect(await principalOf(answer['access_token'] ?? '')).toMatchObject({ subject: 'ann', roles })
  })

  it('is a service’s, for a process that finds the keys under another name', async () => {
    const token = await fetchDevToken(issuer, { service: true })
    const keysUrl = `${server.url}/oidc/jwks`
    expect(await principalOf(token, keysUrl)).toMatchObject({
      subject: clientIds.service,
      roles: new Set([Role.SERVICE]),
    })
  })

  it.each([
    ['a user that is none', { user: 'a\nb' }, 'user: expected'],
    ['a role that is none', { user: 'ann', roles: 'king' }, 'roles: expected some of bidder'],
  ])('is refused for %s, in words', async (_, fields, words) => {
    const { status, answer } = await ask('/token', { ...byScript, ...fields })
    expect(status).toBe(400)
    expect(answer['error_description']).toContain(words)
  })

  it('is refused without the secret', async () => {
    const { status, answer } = await ask('/token', { ...byScript, client_secret: 'guessed' })
    expect({ status, answer }).toMatchObject({ status: 401, answer: { error: 'invalid_client' } })
  })
})

describe('what strangers may try', () => {
  const asked = (changes: Record<string, string>) =>
    `${issuer}/auth?${new URLSearchParams({
      client_id: clientIds.web,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: `${new URL(issuer).origin}/signed-in`,
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      ...changes,
    }).toString()}`

  it('leads to the log-in page, strict and from no other address', async () => {
    const response = await fetch(asked({}), { redirect: 'manual' })
    expect(response.status).toBe(303)
    const cookie = response.headers.getSetCookie().map((each) => each.split(';', 1)[0])
    const location = new URL(response.headers.get('location') ?? '', issuer)
    const page = await fetch(location, { headers: { cookie: cookie.join('; ') } })
    const text = await page.text()
    expect(text).toContain('For development only')
    expect(text).not.toMatch(/(?:src|href)="(?!\/oidc\/)/)
    const policy = page.headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
  })

  it('an address to come back to that nobody has named is not gone to', async () => {
    const strange = asked({ redirect_uri: 'http://evil.example/signed-in' })
    const response = await fetch(strange, { redirect: 'manual' })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('redirect_uri')
  })

  it('without a proof for the code nobody signs in', async () => {
    const response = await fetch(asked({ code_challenge: '' }), { redirect: 'manual' })
    expect(response.headers.get('location')).toContain('error=invalid_request')
  })

  it('pages of other origins read no answers', async () => {
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { origin: 'http://evil.example' },
      body: new URLSearchParams(byScript),
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })
})
