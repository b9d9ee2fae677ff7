/** The auctioneer as a process. */
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { startAuctioneerComponent } from './bid-component.ts'
import { readAuctioneerConfig } from './config.ts'

await runProcess({
  name: 'auctioneer',
  config: readAuctioneerConfig,
  start: async (config, { log, signal }) => [
    await startAuctioneerComponent({
      databaseUrl: config.DATABASE_URL,
      redisUrl: config.REDIS_URL,
      migrations: config.MIGRATIONS,
      auditRetentionDays: config.AUDIT_RETENTION_DAYS,
      log,
      signal,
    }),
  ],
})
