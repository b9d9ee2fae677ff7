import { ConfigError } from '@bidmesh/platform/process/config.ts'
import { StartError } from '@bidmesh/platform/process/start-error.ts'
import { describe, expect, it } from 'vitest'
import { readDevIssuerConfig } from './config.ts'

it('does not start where NODE_ENV says production, whatever else is said', () => {
  const start = () => readDevIssuerConfig({ NODE_ENV: 'production' })
  expect(start).toThrow(StartError)
  expect(start).toThrow(/NODE_ENV is production: use a real issuer/)
})

describe('the name under which it is found', () => {
  it.each([
    ['http://localhost:8080/oidc', true],
    ['http://auction.localhost/oidc', true],
    ['http://127.0.0.1:8090/oidc', true],
    ['http://[::1]:8090', true],
    ['https://login.example.org/oidc', false],
    ['http://login.example.org/oidc', false],
    ['http://localhost.example.org/oidc', false],
    ['http://10.0.0.1/oidc', false],
    ['http://localhost:8080/oidc/', false],
    ['nonsense', false],
  ])('may be %s: %s', (url, isAllowed) => {
    const read = () => readDevIssuerConfig({ DEV_ISSUER_URL: url })
    if (isAllowed) expect(read().DEV_ISSUER_URL).toBe(url)
    else expect(read).toThrow(ConfigError)
  })
})

it('expects the web app at its own origin, unless it is said to be elsewhere', () => {
  const env = { DEV_ISSUER_URL: 'http://localhost:9000/oidc' }
  expect(readDevIssuerConfig(env).DEV_ISSUER_WEB_URLS).toEqual(['http://localhost:9000'])
  const elsewhere = { ...env, DEV_ISSUER_WEB_URLS: 'http://localhost:5173, http://127.0.0.1:5173' }
  expect(readDevIssuerConfig(elsewhere).DEV_ISSUER_WEB_URLS).toEqual([
    'http://localhost:5173',
    'http://127.0.0.1:5173',
  ])
})
