/** The environment of the web server; the only file here that reads it. */
import { processShape, readConfig } from '@bidmesh/platform/process/config.ts'

export function readWebConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(processShape, env)
}
