import { expect, it } from 'vitest'
import { readWebConfig } from './config.ts'

const jwt = { AUTH_MODE: 'jwt', OIDC_ISSUER: 'https://login.example.org', OIDC_AUDIENCE: 'bidmesh' }

it('has names chosen unless it is told of an issuer', () => {
  expect(readWebConfig({}).signIn).toEqual({ mode: 'trusted' })
})

it('tells nobody of a client that there is not', () => {
  const told = { mode: 'jwt', issuer: jwt.OIDC_ISSUER, scope: 'openid', rolesClaim: 'roles' }
  expect(readWebConfig(jwt).signIn).toEqual(told)
  const clientId = 'auction-web'
  expect(readWebConfig({ ...jwt, OIDC_WEB_CLIENT_ID: clientId }).signIn).toEqual({
    ...told,
    clientId,
  })
})

it('looks at no token itself', () => {
  expect(readWebConfig(jwt)).not.toHaveProperty('OIDC_ISSUER')
  expect(readWebConfig(jwt)).not.toHaveProperty('AUTH_MODE')
})
