/** The environment of standalone; the only file of it that reads the environment. */
import { audience, clientIds } from '@bidmesh/dev-issuer/clients.ts'
import { issuerPath, refuseProduction, tokenSeconds } from '@bidmesh/dev-issuer/config.ts'
import {
  authKind,
  authMode,
  authShape,
  directory,
  host,
  hostNames,
  processShape,
  readConfig,
  signInShape,
  userIds,
  wholeNumber,
} from '@bidmesh/platform/process/config.ts'

const DEFAULT_PORT = 8080

export function readStandaloneConfig(env: NodeJS.ProcessEnv = process.env) {
  const { AUTH } = readConfig({ AUTH: authKind() }, env)
  if (AUTH === 'oidc') return { ...readAll({ ...env, ...ownIssuer(env) }), hasIssuer: true }
  return { ...readAll(env), hasIssuer: false }
}

/** `AUTH=oidc`: tokens of an issuer that this process is as well. */
function ownIssuer(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  refuseProduction(env)
  return {
    AUTH_MODE: 'jwt',
    OIDC_ISSUER: `http://localhost:${env['PORT'] || DEFAULT_PORT}${issuerPath}`,
    OIDC_AUDIENCE: audience,
    OIDC_ROLES_CLAIM: 'roles',
    OIDC_WEB_CLIENT_ID: clientIds.web,
  }
}

function readAll(env: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...processShape,
      // Whoever can reach it is believed, so only this machine can.
      HOST: host().default('127.0.0.1'),
      // Nor can a web page under a name that points here.
      ALLOWED_HOSTS: hostNames().default([]),
      ...signInShape(env),
      ...authShape(env),
      AUTH_MODE: authMode().default('trusted'),
      DEV_ISSUER_TOKEN_SECONDS: tokenSeconds(),
      OPERATOR_IDS: userIds().default([]),
      BIDMESH_DATA_DIR: directory().default('./.data'),
      // More than 200 would be a load test, and there is `make bench` for that.
      BOTS: wholeNumber(0, botsMax(env)).default(0),
    },
    env,
  )
}

/** Bots have no tokens, but of an issuer that gives them away. */
function botsMax(env: NodeJS.ProcessEnv): number {
  return env['AUTH_MODE'] === 'jwt' && env['AUTH'] !== 'oidc' ? 0 : 200
}

export type StandaloneConfig = ReturnType<typeof readStandaloneConfig>
