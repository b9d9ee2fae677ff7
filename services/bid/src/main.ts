/** The bid service as a process. */
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { startBid } from './bid-component.ts'
import { readBidConfig } from './config.ts'

await runProcess({
  name: 'bid',
  config: readBidConfig,
  start: async (config, { log, signal }) => [
    await startBid({
      databaseUrl: config.DATABASE_URL,
      redisUrl: config.REDIS_URL,
      migrations: config.MIGRATIONS,
      lanes: config.LANES,
      operatorIds: config.OPERATOR_IDS,
      log,
      signal,
    }),
  ],
})
