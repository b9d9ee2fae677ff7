/**
 * How a process reads its environment: once, through one schema, all faults at once. Every `config.ts`
 * of a service is a call of {@link readConfig}; nothing else reads `process.env`. No value is ever
 * repeated in a message, because some values hold passwords.
 */
import { isNetwork } from '../identity/client-address.ts'
import { z } from 'zod'
import { StartError } from './start-error.ts'

/** Everything that is wrong with the environment, one line per variable. The process ends with code 1. */
export class ConfigError extends StartError {
  override name = 'ConfigError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`configuration is not usable:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.faults = faults
  }
}

/**
 * Reads the variables named by the keys of `shape`. A variable set to the empty string counts as unset
 * (that is what `X= command` and empty lines of an env file mean). Throws {@link ConfigError} that lists
 * every fault.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: NodeJS.ProcessEnv = process.env,
): z.output<z.ZodObject<Shape>> {
  const set = Object.fromEntries(
    Object.keys(shape).flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  )
  const result = z.object(shape).safeParse(set)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map((issue) => faultLine(issue, set)))
}

function faultLine(issue: z.core.$ZodIssue, set: Record<string, unknown>): string {
  const name = String(issue.path[0])
  return set[name] === undefined
    ? `${name} is not set: ${issue.message}`
    : `${name} cannot be used: ${issue.message}`
}

/** A string that `accepts` says yes to; `expected` completes the sentence "expected …". */
function text(expected: string, accepts: (value: string) => boolean) {
  const error = `expected ${expected}`
  return z.string({ error }).refine(accepts, { error })
}

/** A whole number from `min` to `max`, both included. */
export function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`
  return text(expected, (value) => {
    const number = Number(value)
    return /^-?\d{1,15}$/.test(value) && number >= min && number <= max
  }).transform(Number)
}

/** A TCP port; 0 lets the system choose a free one. */
export function port() {
  return wholeNumber(0, 65_535)
}

/** An address or name to listen on. */
export function host() {
  return text('an address to listen on, such as 127.0.0.1 or 0.0.0.0', (value) =>
    /^[\w.:-]+$/.test(value),
  )
}

/** A folder, made when it is missing; relative to where the process was started. */
export function directory() {
  return text('the path of a folder', (value) => !value.includes('\0'))
}

function url(example: string, protocols: readonly string[]) {
  return text(`a URL such as ${example}`, (value) => {
    const parsed = URL.parse(value)
    return parsed !== null && protocols.includes(parsed.protocol)
  })
}

/** `DATABASE_URL` and its kind. */
export function postgresUrl() {
  return url('postgres://user:password@host:5432/database', ['postgres:', 'postgresql:'])
}

/** `AMQP_URL`. */
export function amqpUrl() {
  return url('amqp://user:password@host:5672/vhost', ['amqp:', 'amqps:'])
}

/** `REDIS_URL`. */
export function redisUrl() {
  return url('redis://host:6379', ['redis:', 'rediss:'])
}

/** `BID_URL` and its kind: addresses of one service, between commas. */
export function serviceUrls() {
  return text('URLs between commas, such as http://bid:8080', (value) =>
    listed(value).every((item) => /^http:\/\/[^/]+\/?$/.test(item) && URL.canParse(item)),
  ).transform(listed)
}

/** Under a name that leads to the machine of whoever asks: localhost, what ends in it, or a loopback address. */
function isLoopbackUrl(value: string): boolean {
  const { protocol, hostname, search, hash } = URL.parse(value) ?? {}
  const isLoopback = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname ?? '')
  return protocol === 'http:' && isLoopback && !search && !hash && !value.endsWith('/')
}

/** `DEV_ISSUER_URL`. */
export function loopbackUrl() {
  return text(
    'http:// and localhost, a name that ends in .localhost or a loopback address, without a slash at the end',
    isLoopbackUrl,
  )
}

/** The same, between commas. */
export function loopbackUrls() {
  return text(
    'URLs of localhost, of names that end in .localhost or of loopback addresses, between commas',
    (value) => listed(value).every(isLoopbackUrl),
  ).transform(listed)
}

/** Where another process is reached, with its path. */
export function serviceUrl() {
  return url('http://dev-issuer:8080/oidc', ['http:', 'https:'])
}

/** A role of Postgres, without quotes. */
export function roleName() {
  return text('the name of a database role', (value) => /^[A-Za-z_][\w$-]{0,62}$/.test(value))
}

/**
 * `MIGRATIONS`: whether a service brings its database up to date, or has no right to and waits until that was
 * done (`bidmesh migrate`).
 */
export function migrationsMode() {
  return z.enum(['apply', 'check'], { error: 'expected apply or check' }).default('apply')
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** `LOG_LEVEL`. */
export function logLevel() {
  return z.enum(logLevels, { error: `expected one of ${logLevels.join(', ')}` })
}

/**
 * `AUTH_MODE`. There is no default on purpose: a service that believes any `user_id` must have been told
 * so (standalone, which listens on 127.0.0.1 only, gives `trusted` as its default).
 */
export function authMode() {
  return z.enum(['trusted', 'jwt'], {
    error:
      'expected jwt (callers have a token of OIDC_ISSUER) or trusted (the user_id of a request is believed)',
  })
}

/** `AUTH`, for what people start on their own machine: the development issuer in place of `AUTH_MODE`. */
export function authKind() {
  return z
    .enum(['oidc'], { error: 'expected oidc (sign-in by the development issuer), or nothing' })
    .optional()
}

/** Those with a public key: nobody but the issuer can make a token. */
const algorithms = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ')

/** `OIDC_ALGORITHMS`. */
function signatureAlgorithms() {
  return text(`of ${algorithms.join(', ')}, between commas`, (value) =>
    listed(value).every((item) => algorithms.includes(item)),
  ).transform(listed)
}

/**
 * Who calls, for processes with procedures; spread it into their shape. In mode `jwt` the issuer and the audience have to
 * be said.
 */
export function authShape(env: NodeJS.ProcessEnv = process.env) {
  const issuer = url('https://login.example.org/realms/auction', ['https:', 'http:'])
  const audience = text('audiences between commas, such as bidmesh', (value) =>
    listed(value).every((item) => item !== ''),
  ).transform(listed)
  const isNeeded = env['AUTH_MODE'] === 'jwt'
  return {
    AUTH_MODE: authMode(),
    /** As it stands in tokens; keys are found by its discovery document. */
    OIDC_ISSUER: isNeeded ? issuer : issuer.optional(),
    OIDC_AUDIENCE: isNeeded ? audience : audience.optional(),
    /** Where its keys are, for processes that reach it by another name than callers do; by its discovery otherwise. */
    OIDC_KEYS_URL: issuer.optional(),
    /** The name of a claim, or its way through objects, such as `realm_access.roles`. */
    OIDC_ROLES_CLAIM: z.string().default('roles'),
    OIDC_ALGORITHMS: signatureAlgorithms().default(['RS256', 'PS256', 'ES256', 'EdDSA']),
    /** Between clocks. */
    OIDC_LEEWAY_SECONDS: wholeNumber(0, 60).default(30),
    /** All limits of calls times this; 0: none. Absent: 1 with tokens, 0 in trusted mode. */
    RATE_LIMIT_FACTOR: wholeNumber(0, 1_000).optional(),
    /** Whose `x-forwarded-for` is believed. */
    TRUSTED_PROXIES: networks().default([]),
  }
}

/** How the web app signs people in, beside what the processes with procedures read. */
export function signInShape(env?: NodeJS.ProcessEnv) {
  const { AUTH_MODE, OIDC_ISSUER, OIDC_ROLES_CLAIM } = authShape(env)
  return {
    // Without it names are chosen, as in trusted mode.
    AUTH_MODE: AUTH_MODE.default('trusted'),
    OIDC_ISSUER,
    OIDC_ROLES_CLAIM,
    /** The web app as the issuer knows it; nobody can sign in there without it. */
    OIDC_WEB_CLIENT_ID: z.string().optional(),
    /** What it asks the issuer for, with spaces. */
    OIDC_WEB_SCOPE: z.string().default('openid'),
  }
}

export type SignInConfig = z.output<z.ZodObject<ReturnType<typeof signInShape>>>

export type AuthConfig = z.output<z.ZodObject<ReturnType<typeof authShape>>>

/** `SERVICE_TOKEN_FILE`: with the token by which a service calls others. Needed where callers are asked for one. */
export function serviceTokenFile(env: NodeJS.ProcessEnv = process.env) {
  const file = text(
    'the path of a file with a token of this service',
    (value) => !value.includes('\0'),
  )
  return env['AUTH_MODE'] === 'jwt' ? file : file.optional()
}

/** Items between commas, without the spaces around them. */
function listed(value: string): string[] {
  return value.split(',').map((item) => item.trim())
}

/** `CORS_ORIGINS`: as a browser sends them in `Origin`, or `*` alone. */
export function origins() {
  const expected =
    'origins between commas, such as https://app.example.org,http://localhost:5173, or *'
  return text(
    expected,
    (value) =>
      value.trim() === '*' ||
      listed(value).every((item) => !item.includes('*') && URL.parse(item)?.origin === item),
  ).transform(listed)
}

/** Ids of users, such as `OPERATOR_IDS`; none has a comma. */
export function userIds() {
  return text('user ids between commas', (value) =>
    listed(value).every((item) => item.length > 0 && item.length <= 128),
  ).transform(listed)
}

/** `TRUSTED_PROXIES`: addresses and networks. */
function networks() {
  return text('addresses or networks between commas, such as 10.0.0.0/8,fd00::/8', (value) =>
    listed(value).every(isNetwork),
  ).transform(listed)
}

/** `ALLOWED_HOSTS`: names without ports. */
export function hostNames() {
  return text('names between commas, such as auction.example.org, without ports', (value) =>
    listed(value).every((item) => URL.parse(`http://${item}`)?.host === item.toLowerCase()),
  ).transform(listed)
}

/** What every process reads; spread it into the shape of a service. */
export const processShape = {
  HOST: host().default('0.0.0.0'),
  PORT: port().default(8080),
  LOG_LEVEL: logLevel().default('info'),
  /** Web pages of these origins may call; none but those we serve without it. */
  CORS_ORIGINS: origins().default([]),
  /** The only names answered for, besides localhost and addresses; any name without it. */
  ALLOWED_HOSTS: hostNames().optional(),
  /** Absent: what the descriptors of the process allow, see connection-limit.ts. */
  MAX_CONNECTIONS: wholeNumber(1, 1_000_000).optional(),
}

export type ProcessConfig = {
  HOST: string
  PORT: number
  LOG_LEVEL: LogLevel
  CORS_ORIGINS: readonly string[]
  ALLOWED_HOSTS?: readonly string[] | undefined
  MAX_CONNECTIONS?: number | undefined
  /** Of those that have one: limits are shared there. */
  REDIS_URL?: string | undefined
} & Partial<AuthConfig>
