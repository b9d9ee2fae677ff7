/**
 * The local stack: real Postgres, RabbitMQ and Redis, and every Bidmesh process as a process of its own
 * on a free port. What `make up` runs, and what end-to-end tests, fault tests and benchmarks use as a
 * library. Nothing of it is left after `stop`, nor when we are killed.
 */
import path from 'node:path'
import { bidNodeOptions } from '@bidmesh/bid/node-options.ts'
import { ensureDatabase, withDatabase } from '@bidmesh/platform/postgres/ensure-database.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import type { ProgressLog } from '@bidmesh/platform/process/progress-log.ts'
import {
  type BackingServices,
  startBackingServices,
} from '@bidmesh/platform/testing/backing-services.ts'
import { type BidmeshProcess, createBidmeshProcess } from './bidmesh-process.ts'
import { createIdentity, type Identity } from './stack-identity.ts'

const root = path.resolve(import.meta.dirname, '../..')

const databases = { bid: 'bidmesh_bid', stats: 'bidmesh_stats' } as const

/** The processes of the stack: which database each is given, and where it begins. */
const kinds = {
  bid: { main: 'services/bid/src/main.ts', database: 'bid', nodeOptions: bidNodeOptions },
  auctioneer: { main: 'services/bid/src/auctioneer-main.ts', database: 'bid' },
  relay: { main: 'services/outbox-worker/src/main.ts', database: 'bid' },
  stats: { main: 'services/stats/src/main.ts', database: 'stats' },
  live: { main: 'services/live/src/main.ts' },
  issuer: { main: 'services/dev-issuer/src/main.ts' },
} as const satisfies Record<string, ProcessRecipe>

/** Behind those of all other processes. */
const ISSUER_PORT_OFFSET = 10

type ProcessRecipe = { main: string; database?: keyof typeof databases; nodeOptions?: string }

export type ProcessKind = keyof typeof kinds

export type StackOptions = {
  /** How many of each; 0 leaves a kind out. */
  bidProcesses?: number
  relayProcesses?: number
  statsProcesses?: number
  auctioneerProcesses?: number
  liveProcesses?: number
  /** Callers have a token, of a development issuer that is one more process; otherwise they are believed. */
  devIssuer?: boolean
  log: ProgressLog
  /** Processes get the ports from here on as far as they are free; any free ones without it. */
  firstPort?: number
  /** Services that are there already: they are used, and not stopped with the stack. */
  services?: BackingServices
  /** Variables for all processes, e.g. LOG_LEVEL. */
  env?: Readonly<Record<string, string>>
  /** Gets every line a process writes. */
  output?: (process: string, line: string) => void
  /** Where live processes find a bid process instead of at its own address. */
  leadToBid?: (url: string) => Promise<string>
  /** Entry points other than the services' own, for tests of the stack itself. */
  mains?: Readonly<Partial<Record<ProcessKind, string>>>
}

type Processes = Record<ProcessKind, BidmeshProcess[]>

export type Stack = Record<ProcessKind, readonly BidmeshProcess[]> & {
  services: BackingServices
  bidDatabaseUrl: string
  statsDatabaseUrl: string
  /** As it stands in tokens; undefined where callers are believed. */
  issuerUrl: string | undefined
  /** Processes first, then the services. May be called twice. */
  stop: () => Promise<void>
}

/** Resolves when every process is ready. Throws, with everything stopped again, when one does not start. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const services = options.services ?? (await startBackingServices({ log: options.log }))
  const processes: Processes = {
    bid: [],
    auctioneer: [],
    relay: [],
    stats: [],
    live: [],
    issuer: [],
  }
  let identity: Identity | undefined
  const created: string[] = []
  const stop = async (): Promise<void> => {
    try {
      await identity?.stop()
      await Promise.all(all(processes).map(async (each) => await each.stop()))
      await dropDatabases(services, created.splice(0))
    } finally {
      if (options.services === undefined) await services.stop()
    }
  }
  try {
    for (const name of Object.values(databases)) {
      if ((await ensureDatabase(services.databaseUrl, name)).created) created.push(name)
    }
    if (options.devIssuer === true) identity = await createIssuer(processes, options)
    await createProcesses(processes, services, {
      ...options,
      env: { ...options.env, ...identity?.env },
    })
    await Promise.all(all(processes).map(async (each) => await each.start()))
    options.log.info({}, 'all processes are ready')
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...processes,
    services,
    bidDatabaseUrl: withDatabase(services.databaseUrl, databases.bid),
    statsDatabaseUrl: withDatabase(services.databaseUrl, databases.stats),
    issuerUrl: identity?.url,
    stop,
  }
}

function all(processes: Processes): BidmeshProcess[] {
  return Object.values(processes).flat()
}

/** Its port is known before the others are told of it, and is none of theirs. */
async function createIssuer(processes: Processes, options: StackOptions): Promise<Identity> {
  const port = await freePort(options.firstPort && options.firstPort + ISSUER_PORT_OFFSET)
  const identity = await createIdentity(port, options.log)
  processes.issuer.push(
    createBidmeshProcess({
      name: 'issuer-1',
      main: options.mains?.issuer ?? path.join(root, kinds.issuer.main),
      port,
      env: { ...options.env, ...identity.issuerEnv },
      log: options.log,
      output: (line) => options.output?.('issuer-1', line),
    }),
  )
  return identity
}

async function createProcesses(
  processes: Processes,
  services: BackingServices,
  options: StackOptions,
): Promise<void> {
  const counts: readonly (readonly [ProcessKind, number])[] = [
    ['bid', options.bidProcesses ?? 2],
    ['stats', options.statsProcesses ?? 1],
    ['auctioneer', options.auctioneerProcesses ?? 1],
    ['relay', options.relayProcesses ?? 2],
    ['live', options.liveProcesses ?? 2],
  ]
  const names = counts.flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, index) => ({ kind, name: `${kind}-${index + 1}` })),
  )
  const bidUrls: string[] = []
  for (const [index, { kind, name }] of names.entries()) {
    const { main, ...reads } = kinds[kind]
    const port = await freePort(options.firstPort && options.firstPort + index)
    const started = createBidmeshProcess({
      name,
      main: options.mains?.[kind] ?? path.join(root, main),
      port,
      env: {
        AUTH_MODE: 'trusted',
        ...('nodeOptions' in reads && { NODE_OPTIONS: reads.nodeOptions }),
        ...options.env,
        ...('database' in reads
          ? { DATABASE_URL: withDatabase(services.databaseUrl, databases[reads.database]) }
          : { BID_URL: bidUrls.join() }),
        AMQP_URL: services.amqpUrl,
        REDIS_URL: services.redisUrl,
      },
      log: options.log,
      output: (line) => options.output?.(name, line),
    })
    processes[kind].push(started)
    if (kind === 'bid') bidUrls.push((await options.leadToBid?.(started.url)) ?? started.url)
  }
}

/** A server of our own vanishes as a whole; one that was named keeps only what was there before us. */
async function dropDatabases(services: BackingServices, names: readonly string[]): Promise<void> {
  if (names.length === 0 || services.postgres !== undefined) return
  const sql = connectPostgres(services.databaseUrl, { max: 1, applicationName: 'bidmesh-stack' })
  try {
    for (const name of names) await sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`
  } finally {
    await sql.end()
  }
}
