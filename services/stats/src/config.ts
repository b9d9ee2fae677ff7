/** The environment of the service and of the rebuild command; the only file here that reads it. */
import {
  amqpUrl,
  authShape,
  migrationsMode,
  postgresUrl,
  processShape,
  readConfig,
  redisUrl,
  serviceTokenFile,
  serviceUrls,
} from '@bidmesh/platform/process/config.ts'

const statsShape = {
  /** Its own database, not the write side's. */
  DATABASE_URL: postgresUrl(),
  /** Without Redis leaders are ranked by Postgres. */
  REDIS_URL: redisUrl().optional(),
}

export function readStatsConfig(env?: NodeJS.ProcessEnv) {
  const shape = { ...statsShape, AMQP_URL: amqpUrl(), MIGRATIONS: migrationsMode() }
  return readConfig({ ...processShape, ...authShape(env), ...shape }, env)
}

export function readRebuildConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    { ...statsShape, BID_URL: serviceUrls(), SERVICE_TOKEN_FILE: serviceTokenFile(env) },
    env,
  )
}
