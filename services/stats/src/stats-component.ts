/** The stats service put together: consumer, leaderboards, queries, and the broom of the inbox. */
import { setTimeout as sleep } from 'node:timers/promises'
import { UserStatsService } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import type { Broker } from '@bidmesh/platform/broker/broker.ts'
import { checkDatabase } from '@bidmesh/platform/postgres/check-database.ts'
import { TransientError } from '@bidmesh/platform/process/errors.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import { ensureSchema, type MigrationsMode } from '@bidmesh/platform/postgres/ensure-schema.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { connectPostgres, waitForPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { connectRedis } from '@bidmesh/platform/redis/redis.ts'
import { lockedBriefly, openSession } from '@bidmesh/platform/postgres/session.ts'
import { startConsumer } from './consumer.ts'
import { createLeaderboards, type Leaderboards, noLeaderboards } from './leaderboards.ts'
import { createStatsMetrics } from './metrics.ts'
import { keepPurging } from './purge-inbox.ts'
import { statsRoutes } from './routes.ts'
import { statsSchema } from './schema.ts'

/** One for the broom, the rest for queries. The consumer has a session of its own. */
const POOL_SIZE = 7
/** No batch and no query takes longer in good health; a second later its connection counts as dead. */
const STATEMENT_TIMEOUT_MS = 4_000
/** How soon a lost leaderboard is noticed; until then Postgres ranks. */
const REFILL_INTERVAL_MS = 1_000

/** Plain SQL files, applied by dbmate. */
export const migrationsDirectory = statsSchema.directory

export type StatsComponentOptions = {
  databaseUrl: string
  /** Undefined: Postgres ranks. */
  redisUrl: string | undefined
  /** Absent: `apply`. */
  migrations?: MigrationsMode
  /** The component does not close it. */
  broker: Broker
  log: Log
  /** Gives up waiting for the database. */
  signal: AbortSignal
}

/** Waits for the database, brings it up to date, subscribes, and returns the running service. */
export async function startStats(options: StatsComponentOptions): Promise<Component> {
  const { databaseUrl, redisUrl, migrations = 'apply', broker, log, signal } = options
  const settings = { applicationName: 'bidmesh stats', statementTimeoutMs: STATEMENT_TIMEOUT_MS }
  const sql = connectPostgres(databaseUrl, { ...settings, max: POOL_SIZE })
  await waitForPostgres(sql, log, { signal, writes: true })
  await ensureSchema({ schema: statsSchema, mode: migrations, sql, url: databaseUrl, log, signal })
  const redis = redisUrl ? await connectRedis(redisUrl, { log }) : undefined
  const leaderboards = redis ? createLeaderboards(redis, sql, log) : noLeaderboards
  const metrics = createStatsMetrics()
  const session = openSession(databaseUrl, { ...settings, settings: lockedBriefly })
  const subscription = await startConsumer({ session, broker, leaderboards, metrics })
  const stopping = new AbortController()
  const chores = [
    keepPurging(sql, log, stopping.signal),
    ...(redis ? [keepFilled(leaderboards, stopping.signal)] : []),
  ]
  return {
    name: 'stats',
    services: [UserStatsService],
    routes: statsRoutes({ sql, leaderboards }),
    check: async () => {
      await checkDatabase(sql, { tables: statsSchema.tables, writes: true })
      await broker.check()
      const reason = subscription.waitsFor()
      if (reason !== undefined) throw new TransientError(`events wait: ${reason}`)
    },
    async stop() {
      stopping.abort()
      await subscription.stop()
      await Promise.all(chores)
      await session.close()
      await sql.end({ timeout: 1 })
      redis?.disconnect()
    },
  }
}

async function keepFilled(leaderboards: Leaderboards, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await leaderboards.refill()
    await sleep(REFILL_INTERVAL_MS, undefined, { signal }).catch(() => undefined)
  }
}
