/** The environment of standalone; the only file of it that reads the environment. */
import { authMode, directory, host, processShape, readConfig } from '@bidmesh/platform/config.ts'

export function readStandaloneConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...processShape,
      // Whoever can reach it is believed, so only this machine can.
      HOST: host().default('127.0.0.1'),
      AUTH_MODE: authMode().default('trusted'),
      BIDMESH_DATA_DIR: directory().default('./.data'),
    },
    env,
  )
}

export type StandaloneConfig = ReturnType<typeof readStandaloneConfig>
