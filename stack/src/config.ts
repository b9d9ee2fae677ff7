/** The environment of `make up`, but for what it hands on. */
import { authKind, readConfig } from '@bidmesh/platform/process/config.ts'

export function readStackConfig(env?: NodeJS.ProcessEnv) {
  return readConfig({ AUTH: authKind() }, env)
}
