/** The environment of the relay; the only file of this service that reads it. */
import { amqpUrl, postgresUrl, processShape, readConfig } from '@bidmesh/platform/process/config.ts'

export function readRelayConfig(env?: NodeJS.ProcessEnv) {
  return readConfig({ ...processShape, DATABASE_URL: postgresUrl(), AMQP_URL: amqpUrl() }, env)
}
