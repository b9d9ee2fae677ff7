import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  amqpUrl,
  authShape,
  ConfigError,
  postgresUrl,
  processShape,
  readConfig,
  redisUrl,
  wholeNumber,
} from './config.ts'

const shapeFor = (env: NodeJS.ProcessEnv) => ({
  ...processShape,
  DATABASE_URL: postgresUrl(),
  AMQP_URL: amqpUrl(),
  REDIS_URL: redisUrl().optional(),
  ...authShape(env),
  LANES: wholeNumber(1, 64).default(4),
  NAME: z.string().max(3).optional(),
})
const read = (env: Record<string, string>) => readConfig(shapeFor(env), env)
const good = {
  DATABASE_URL: 'postgres://user:p%40ss@db/bids?host=/run/pg',
  AMQP_URL: 'amqp://guest:guest@mq',
  AUTH_MODE: 'trusted',
}

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    read(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

test('reads values, defaults for what is unset or empty, and nothing else', () => {
  expect(read({ ...good, PORT: '0', HOST: '', REDIS_URL: '', PATH: '/bin' })).toEqual({
    ...good,
    HOST: '0.0.0.0',
    PORT: 0,
    LOG_LEVEL: 'info',
    CORS_ORIGINS: [],
    OIDC_ROLES_CLAIM: 'roles',
    OIDC_ALGORITHMS: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    OIDC_LEEWAY_SECONDS: 30,
    TRUSTED_PROXIES: [],
    LANES: 4,
  })
})

test('names every fault at once, with what is expected, and never a value', () => {
  const env = {
    DATABASE_URL: 'mysql://root:hunter2@db',
    PORT: '65536',
    LOG_LEVEL: 'loud',
    LANES: '4.0',
    REDIS_URL: 'hunter2',
    NAME: 'hunter2',
  }
  const faults = faultsOf(env)
  expect(faults).toEqual([
    'PORT cannot be used: expected a whole number from 0 to 65535',
    'LOG_LEVEL cannot be used: expected one of fatal, error, warn, info, debug, trace, silent',
    'DATABASE_URL cannot be used: expected a URL such as postgres://user:password@host:5432/database',
    'AMQP_URL is not set: expected a URL such as amqp://user:password@host:5672/vhost',
    'REDIS_URL cannot be used: expected a URL such as redis://host:6379',
    'AUTH_MODE is not set: expected jwt (callers have a token of OIDC_ISSUER) or trusted (the user_id of a request is believed)',
    'LANES cannot be used: expected a whole number from 1 to 64',
    expect.stringMatching(/^NAME cannot be used: /),
  ])
  expect(faults.join()).not.toContain('hunter2')
})

test.each(['', ' 1', '1e3', '0x10', '-', '1 ', '--1', '9007199254740993'])(
  '%j is no whole number from 1 to 64',
  (value) => {
    expect(faultsOf({ ...good, LANES: value || ' ' })).toHaveLength(1)
  },
)

test('with jwt the issuer and the audience have to be said', () => {
  const jwt = { ...good, AUTH_MODE: 'jwt' }
  expect(faultsOf(jwt)).toEqual([
    expect.stringContaining('OIDC_ISSUER is not set: expected a URL'),
    expect.stringContaining('OIDC_AUDIENCE is not set: expected audiences'),
  ])
  const issuer = 'https://tenant.auth0.example/'
  const said = { ...jwt, OIDC_ISSUER: issuer, OIDC_AUDIENCE: 'bidmesh, other' }
  expect(read(said)).toMatchObject({ OIDC_ISSUER: issuer, OIDC_AUDIENCE: ['bidmesh', 'other'] })
})

test.each([
  ['OIDC_ALGORITHMS', 'HS256'],
  ['OIDC_ALGORITHMS', 'none'],
  ['OIDC_ALGORITHMS', 'RS256,'],
  ['OIDC_LEEWAY_SECONDS', '61'],
  ['OIDC_ISSUER', 'login.example.org'],
  ['OIDC_ISSUER', 'file:///etc/passwd'],
  ['OIDC_AUDIENCE', 'a,,b'],
  ['AUTH_MODE', 'JWT'],
])('%s cannot be %s', (name, value) => {
  expect(faultsOf({ ...good, [name]: value })).toEqual([
    expect.stringContaining(`${name} cannot be used: expected `),
  ])
})

test('origins and names are exact, and between commas', () => {
  const { CORS_ORIGINS, ALLOWED_HOSTS } = read({
    ...good,
    CORS_ORIGINS: 'https://app.example.org, http://localhost:5173',
    ALLOWED_HOSTS: 'auction.example.org,bids.internal',
  })
  expect(CORS_ORIGINS).toEqual(['https://app.example.org', 'http://localhost:5173'])
  expect(ALLOWED_HOSTS).toEqual(['auction.example.org', 'bids.internal'])
  expect(read({ ...good, CORS_ORIGINS: '*' }).CORS_ORIGINS).toEqual(['*'])
  const origins = [
    'app.example.org',
    'https://app.example.org/',
    'https://*.example.org',
    'https://a,*',
    ',',
  ]
  for (const value of origins) {
    expect(faultsOf({ ...good, CORS_ORIGINS: value })).toEqual([
      expect.stringMatching(/^CORS_ORIGINS cannot be used: expected origins between commas/),
    ])
  }
  for (const value of ['https://a.example', 'a.example:80', 'a b', 'a/b']) {
    expect(faultsOf({ ...good, ALLOWED_HOSTS: value })).toEqual([
      expect.stringMatching(/^ALLOWED_HOSTS cannot be used: expected names/),
    ])
  }
})
