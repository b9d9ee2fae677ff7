/** The environment of standalone; the only file of it that reads the environment. */
import {
  authMode,
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
      AUTH_MODE: authMode().default('trusted'),
      OPERATOR_IDS: userIds().default([]),
      BIDMESH_DATA_DIR: directory().default('./.data'),
      // More than 200 would be a load test, and there is `make bench` for that.
      BOTS: wholeNumber(0, 200).default(0),
    },
    env,
  )
}

export type StandaloneConfig = ReturnType<typeof readStandaloneConfig>
