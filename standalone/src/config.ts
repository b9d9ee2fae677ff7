/** The environment of standalone; the only file of it that reads the environment. */
import {
  authMode,
  authShape,
  directory,
  host,
  hostNames,
  processShape,
  readConfig,
  userIds,
  wholeNumber,
} from '@bidmesh/platform/process/config.ts'

export function readStandaloneConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...processShape,
      // Whoever can reach it is believed, so only this machine can.
      HOST: host().default('127.0.0.1'),
      // Nor can a web page under a name that points here.
      ALLOWED_HOSTS: hostNames().default([]),
      ...authShape(env),
      AUTH_MODE: authMode().default('trusted'),
      OPERATOR_IDS: userIds().default([]),
      BIDMESH_DATA_DIR: directory().default('./.data'),
      // More than 200 would be a load test, and there is `make bench` for that.
      BOTS: wholeNumber(0, botsMax(env)).default(0),
    },
    env,
  )
}

/** Bots have no tokens. */
function botsMax(env = process.env): number {
  return env['AUTH_MODE'] === 'jwt' ? 0 : 200
}

export type StandaloneConfig = ReturnType<typeof readStandaloneConfig>
