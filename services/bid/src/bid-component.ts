/** The bid service put together: pool for commands and queries, lanes for bids, cache for items. */
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemSourceService } from '@bidmesh/gen/bids/v1/item_source_service_pb.ts'
import { file_events_v1_events } from '@bidmesh/gen/events/v1/events_pb.ts'
import { checkDatabase } from '@bidmesh/platform/postgres/check-database.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import { ensureSchema, type MigrationsMode } from '@bidmesh/platform/postgres/ensure-schema.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import {
  connectPostgres,
  plannedOnce,
  type Sql,
  waitForPostgres,
} from '@bidmesh/platform/postgres/postgres.ts'
import { connectRedis, type Redis } from '@bidmesh/platform/redis/redis.ts'
import { lockedBriefly, openSessionPool, type Session } from '@bidmesh/platform/postgres/session.ts'
import { auditRefusals } from './audit-refusals.ts'
import { startAuctioneer } from './auctioneer.ts'
import { explainRejection } from './explain-rejection.ts'
import { AUDIT_RETENTION_DAYS } from './config.ts'
import { createItemCache, noItemCache } from './item-cache.ts'
import { itemSourceRoutes } from './item-source-routes.ts'
import { keepPartitions } from './keep-partitions.ts'
import { createLanes } from './lanes.ts'
import { createBidMetrics } from './metrics.ts'
import { OVERDUE_AT_ONCE } from './overdue-items.ts'
import { logRejections } from './rejection-log.ts'
import { keepRetention } from './retention-job.ts'
import { bidRoutes } from './routes.ts'
import { bidSchema } from './schema.ts'
import { createRelayWaker } from './wake-relay.ts'

/** Connections for queries, of clients and of other services, and for putting items up; commands on items have their lanes. */
const QUERY_CONNECTIONS = 10
const CREATE_CONNECTIONS = 4
/** Longest wait for a lock at a time, so that those who wait for other items have their turn. */
const LOCK_TIMEOUT_MS = 250
/** Commands and queries run no longer than this; a second later their connection counts as dead. */
const STATEMENT_TIMEOUT_MS = 4_000

export type BidComponentOptions = {
  databaseUrl: string
  /** Undefined: items are always read from Postgres. */
  redisUrl: string | undefined
  /** Absent: `apply`. */
  migrations?: MigrationsMode
  lanes: number
  /** User ids who may do to any item what its seller may, and more; absent: nobody. */
  operatorIds?: readonly string[]
  log: Log
  /** Gives up waiting for the database. */
  signal: AbortSignal
}

/** Waits for the database, brings it up to date, and returns the running service. */
export async function startBid(options: BidComponentOptions): Promise<Component> {
  const { databaseUrl, operatorIds = [], log } = options
  const { sql, openPool } = await openDatabase(options, 'bidmesh bid', QUERY_CONNECTIONS)
  const session = openPool(CREATE_CONNECTIONS, LOCK_TIMEOUT_MS)
  const redis = await openRedis(options)
  const cache = redis ? createItemCache(redis) : noItemCache
  const metrics = logRejections(createBidMetrics(), log)
  const { invalidate } = cache
  const wakeRelay = createRelayWaker(sql)
  const refusals = auditRefusals(sql, log)
  const lanes = createLanes({ databaseUrl, lanes: options.lanes, invalidate, wakeRelay, metrics })
  return {
    name: 'bid',
    services: [BidService, ItemSourceService],
    held: [file_events_v1_events],
    urgent: [BidService.method.placeBid],
    routes: (router) => {
      bidRoutes({ sql, session, lanes, cache, wakeRelay, metrics, operatorIds })(router)
      itemSourceRoutes(sql)(router)
    },
    explainError: explainRejection,
    onRefused: refusals.onRefused,
    check: () => checkDatabase(sql, { tables: bidSchema.tables, writes: true }),
    async stop() {
      await lanes.stop()
      await refusals.stop()
      await session.close()
      await sql.end({ timeout: 1 })
      redis?.disconnect()
      log.info('bid service stopped')
    },
  }
}

/** The auctioneer as a component without procedures. */
export async function startAuctioneerComponent(
  options: Omit<BidComponentOptions, 'lanes' | 'operatorIds'> & { auditRetentionDays?: number },
): Promise<Component> {
  const { sql, openPool } = await openDatabase(options, 'bidmesh auctioneer', 1)
  const session = openPool(1 + OVERDUE_AT_ONCE, LOCK_TIMEOUT_MS)
  const redis = await openRedis(options)
  const { invalidate } = redis ? createItemCache(redis) : noItemCache
  const wakeRelay = createRelayWaker(sql)
  const auctioneer = startAuctioneer({ sql, session, invalidate, wakeRelay, log: options.log })
  const stopping = new AbortController()
  const { auditRetentionDays = AUDIT_RETENTION_DAYS, log } = options
  const { signal } = stopping
  const partitions = keepPartitions(sql, { auditRetentionDays, log, signal })
  const retention = keepRetention(sql, log, signal)
  return {
    name: 'auctioneer',
    services: [],
    routes: () => undefined,
    check: auctioneer.check,
    async stop() {
      stopping.abort()
      await Promise.all([auctioneer.stop(), partitions, retention])
      await session.close()
      await sql.end({ timeout: 1 })
      redis?.disconnect()
    },
  }
}

type Database = {
  sql: Sql
  openPool: (connections: number, lockTimeoutMs: number) => Session
}

async function openDatabase(
  {
    databaseUrl,
    migrations = 'apply',
    log,
    signal,
  }: Omit<BidComponentOptions, 'lanes' | 'operatorIds'>,
  applicationName: string,
  queries: number,
): Promise<Database> {
  const settings = { applicationName, statementTimeoutMs: STATEMENT_TIMEOUT_MS }
  const sql = connectPostgres(databaseUrl, { ...settings, max: queries })
  await waitForPostgres(sql, log, { signal, writes: true })
  await ensureSchema({ schema: bidSchema, mode: migrations, sql, url: databaseUrl, log, signal })
  const openPool: Database['openPool'] = (max, lockTimeoutMs) =>
    openSessionPool(databaseUrl, {
      ...settings,
      settings: { ...plannedOnce, ...lockedBriefly },
      max,
      lockTimeoutMs,
    })
  return { sql, openPool }
}

/** Plain SQL files, applied by dbmate. */
export const migrationsDirectory = bidSchema.directory

async function openRedis({
  redisUrl,
  log,
}: Omit<BidComponentOptions, 'lanes' | 'operatorIds'>): Promise<Redis | undefined> {
  return redisUrl ? await connectRedis(redisUrl, { log }) : undefined
}
