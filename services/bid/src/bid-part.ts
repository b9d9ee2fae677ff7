/** The bid service put together: pool for commands and queries, lanes for bids, cache for items. */
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Log } from '@bidmesh/platform/log.ts'
import { migrate } from '@bidmesh/platform/migrate.ts'
import type { Part } from '@bidmesh/platform/part.ts'
import {
  checkPostgres,
  connectPostgres,
  type Sql,
  waitForPostgres,
} from '@bidmesh/platform/postgres.ts'
import { connectRedis, type Redis } from '@bidmesh/platform/redis.ts'
import { startAuctioneer } from './auctioneer.ts'
import { explainRefusal } from './explain-refusal.ts'
import { createItemCache, noItemCache } from './item-cache.ts'
import { createLanes } from './lanes.ts'
import { createBidMetrics } from './metrics.ts'
import { bidRoutes } from './routes.ts'

/** Commands other than bids, and queries. Bids have their lanes. */
const POOL_SIZE = 8
const AUCTIONEER_POOL_SIZE = 2
/** Commands and queries wait and run no longer than this. */
const LOCK_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 10_000

export type BidPartOptions = {
  databaseUrl: string
  /** Undefined: items are always read from Postgres. */
  redisUrl: string | undefined
  lanes: number
  log: Log
  /** Gives up waiting for the database. */
  signal: AbortSignal
}

/** Waits for the database, migrates it, and returns the running service. */
export async function startBid(options: BidPartOptions): Promise<Part> {
  const { databaseUrl, log } = options
  const sql = await openDatabase(options, POOL_SIZE, 'bidmesh bid')
  const redis = openRedis(options)
  const cache = redis ? createItemCache(redis) : noItemCache
  const metrics = createBidMetrics()
  const { invalidate } = cache
  const lanes = createLanes({ databaseUrl, lanes: options.lanes, invalidate, metrics })
  return {
    name: 'bid',
    services: [BidService],
    routes: bidRoutes({ sql, lanes, cache, metrics }),
    interceptors: [explainRefusal],
    check: () => checkPostgres(sql),
    async stop() {
      await lanes.stop()
      await sql.end({ timeout: 1 })
      redis?.disconnect()
      log.info('bid service stopped')
    },
  }
}

/** The auctioneer as a part without procedures. */
export async function startAuctioneerPart(options: Omit<BidPartOptions, 'lanes'>): Promise<Part> {
  const sql = await openDatabase(options, AUCTIONEER_POOL_SIZE, 'bidmesh auctioneer')
  const redis = openRedis(options)
  const { invalidate } = redis ? createItemCache(redis) : noItemCache
  const auctioneer = startAuctioneer({ sql, invalidate, log: options.log })
  return {
    name: 'auctioneer',
    services: [],
    routes: () => undefined,
    check: auctioneer.check,
    async stop() {
      await auctioneer.stop()
      await sql.end({ timeout: 1 })
      redis?.disconnect()
    },
  }
}

async function openDatabase(
  { databaseUrl, log, signal }: Omit<BidPartOptions, 'lanes'>,
  max: number,
  applicationName: string,
): Promise<Sql> {
  const sql = connectPostgres(databaseUrl, {
    max,
    applicationName,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  })
  await waitForPostgres(sql, log, signal)
  await migrate({ url: databaseUrl, directory: migrationsDirectory, log })
  return sql
}

/** Plain SQL files, applied by dbmate. */
export const migrationsDirectory = new URL('../migrations', import.meta.url).pathname

function openRedis({ redisUrl, log }: Omit<BidPartOptions, 'lanes'>): Redis | undefined {
  return redisUrl ? connectRedis(redisUrl, { log }) : undefined
}
