/** The environment of the web server; the only file here that reads it. */
import { processShape, readConfig, signInShape } from '@bidmesh/platform/process/config.ts'
import { signInOf } from './sign-in.ts'

export function readWebConfig(env?: NodeJS.ProcessEnv) {
  const { HOST, PORT, LOG_LEVEL, CORS_ORIGINS, ALLOWED_HOSTS, MAX_CONNECTIONS, ...rest } =
    readConfig({ ...processShape, ...signInShape(env) }, env)
  const shared = { HOST, PORT, LOG_LEVEL, CORS_ORIGINS, ALLOWED_HOSTS, MAX_CONNECTIONS }
  // Not as they were read: this process itself looks at no token.
  return { ...shared, signIn: signInOf(rest) }
}
