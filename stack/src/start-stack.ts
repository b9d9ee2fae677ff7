/**
 * The whole of Bidmesh on one machine, every service a process of its own on real Postgres, RabbitMQ and
 * Redis: for a look at it (`make up`), for end-to-end tests, for faults. What was started is stopped, and
 * what was created is removed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureDatabase, withDatabase } from '@bidmesh/platform/ensure-database.ts'
import { connectPostgres } from '@bidmesh/platform/postgres.ts'
import type { ProgressLog } from '@bidmesh/platform/progress-log.ts'
import {
  type BackingServices,
  startBackingServices,
} from '@bidmesh/platform/testing/backing-services.ts'
import { type ServiceOptions, type ServiceProcess, startService } from './service-process.ts'

export type StackOptions = {
  log: ProgressLog
  /** Running backing services, which are then left running; otherwise own ones are started. */
  services?: BackingServices
  /** Processes of each kind. */
  bidProcesses?: number
  relayProcesses?: number
  statsProcesses?: number
  auctioneerProcesses?: number
  /** Of the first bid process; a free one when left out. */
  port?: number
  /** Over the environment of every process. */
  env?: Readonly<Record<string, string>>
}

export type Stack = {
  services: BackingServices
  /** The write side's database. */
  bidUrl: string
  statsUrl: string
  bids: ServiceProcess[]
  relays: ServiceProcess[]
  stats: ServiceProcess[]
  auctioneers: ServiceProcess[]
  /** Logs of all processes, one file each. */
  logDirectory: string
  /** Stops everything it started; may be called twice. */
  stop(): Promise<void>
}

/** Resolves when every process is ready. Throws after having stopped what was started. */
export async function startStack(options: StackOptions): Promise<Stack> {
  await using undo = new AsyncDisposableStack()
  const services = options.services ?? (await startBackingServices({ log: options.log }))
  if (!options.services) undo.defer(services.stop)
  const logDirectory = await mkdtemp(join(tmpdir(), 'bidmesh-stack-'))
  undo.defer(() => rm(logDirectory, { recursive: true, force: true }))
  const databases = await createDatabases(services.databaseUrl)
  undo.defer(databases.drop)

  const common = {
    LOG_LEVEL: 'info',
    AUTH_MODE: 'trusted',
    AMQP_URL: services.amqpUrl,
    REDIS_URL: services.redisUrl,
    ...options.env,
  }
  const start = async (kind: Kind, count: number, firstPort?: number) => {
    const starts = Array.from({ length: count }, (_, n) => {
      const name = count > 1 ? `${kind}-${n + 1}` : kind
      const { main, database } = kinds[kind]
      const service: ServiceOptions = {
        name,
        main,
        env: { ...common, DATABASE_URL: databases[database] },
        logFile: join(logDirectory, `${name}.log`),
        log: options.log,
        ...(n === 0 && firstPort !== undefined ? { port: firstPort } : {}),
      }
      return startService(service)
    })
    const settled = await Promise.allSettled(starts)
    const started = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    undo.defer(async () => {
      await Promise.all(started.map((service) => service.stop()))
    })
    const failed = settled.find((each) => each.status === 'rejected')
    if (failed) throw failed.reason
    for (const { name, url, pid } of started) options.log.info({ url, pid }, `${name} is ready`)
    return started
  }
  // Consumers first: their queues must be there for what is published.
  const stats = await start('stats', options.statsProcesses ?? 1)
  const bids = await start('bid', options.bidProcesses ?? 2, options.port)
  const relays = await start('relay', options.relayProcesses ?? 2)
  const auctioneers = await start('auctioneer', options.auctioneerProcesses ?? 1)
  const running = undo.move()
  return {
    services,
    bidUrl: databases.bid,
    statsUrl: databases.stats,
    bids,
    relays,
    stats,
    auctioneers,
    logDirectory,
    stop: () => running.disposeAsync(),
  }
}

const kinds = {
  bid: { main: '@bidmesh/bid/main.ts', database: 'bid' },
  auctioneer: { main: '@bidmesh/bid/auctioneer-main.ts', database: 'bid' },
  relay: { main: '@bidmesh/outbox-worker/main.ts', database: 'bid' },
  stats: { main: '@bidmesh/stats/main.ts', database: 'stats' },
} as const

type Kind = keyof typeof kinds

/** Named after this process, so that stacks on one server do not meet. */
async function createDatabases(serverUrl: string) {
  const names = { bid: `bidmesh_bid_${process.pid}`, stats: `bidmesh_stats_${process.pid}` }
  await ensureDatabase(serverUrl, names.bid)
  await ensureDatabase(serverUrl, names.stats)
  return {
    bid: withDatabase(serverUrl, names.bid),
    stats: withDatabase(serverUrl, names.stats),
    async drop() {
      const sql = connectPostgres(serverUrl, { max: 1, applicationName: 'bidmesh stack' })
      try {
        for (const name of Object.values(names)) {
          await sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`
        }
      } finally {
        await sql.end()
      }
    },
  }
}
