/** The environment of the live service; the only file here that reads it. */
import {
  amqpUrl,
  authShape,
  processShape,
  readConfig,
  redisUrl,
  serviceTokenFile,
  serviceUrls,
  wholeNumber,
} from '@bidmesh/platform/process/config.ts'

/** At about 20 kB each, what a gigabyte holds with room to spare. */
export const VIEWERS_MAX_DEFAULT = 25_000

export function readLiveConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...processShape,
      ...authShape(env),
      /** The bid service's: what is watched is read there. */
      BID_URL: serviceUrls(),
      SERVICE_TOKEN_FILE: serviceTokenFile(env),
      AMQP_URL: amqpUrl(),
      /** Without Redis chat and viewer counts are those of this process alone. */
      REDIS_URL: redisUrl().optional(),
      /** Most viewers of this process at once. */
      VIEWERS_MAX: wholeNumber(1, 1_000_000).default(VIEWERS_MAX_DEFAULT),
    },
    env,
  )
}
