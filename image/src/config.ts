/** The environment of `migrate`; the processes read theirs themselves. */
import { logLevel, postgresUrl, readConfig, roleName } from '@bidmesh/platform/process/config.ts'

export function readMigrateConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      DATABASE_URL: postgresUrl(),
      GRANT_TO: roleName().optional(),
      LOG_LEVEL: logLevel().default('info'),
    },
    env,
  )
}
