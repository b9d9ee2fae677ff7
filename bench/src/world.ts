/**
 * What a bench run stands on: backing services, databases of its own on them, and the load process. It
 * refuses to measure a Postgres that is not durable.
 */
import { open, rm } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { withDatabase } from '@bidmesh/platform/postgres/ensure-database.ts'
import { connectPostgres, type Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { type ProgressLog, progressOnStderr } from '@bidmesh/platform/process/progress-log.ts'
import { startBackingServices } from '@bidmesh/platform/testing/backing-services.ts'
import type { BenchOptions } from './bench-options.ts'
import { postmasterPid } from './report/cpu-time.ts'
import { formatNumber } from './report/figure.ts'
import { type LoadProcess, startLoadProcess } from './load/load-process.ts'
import { median } from './report/percentile.ts'

export type World = {
  log: ProgressLog
  amqpUrl: string
  redisUrl: string
  load: LoadProcess
  /** Length of one measurement. */
  measureMs: number
  /** Measurements of each target, taken in turns; figures are medians. */
  rounds: number
  /** Of one item, in the crowd. */
  viewers: number
  /** In the large store, before anything is measured. */
  storedBids: number
  /** For CPU time; undefined when Postgres runs where its processes cannot be seen. */
  postmaster: number | undefined
  /** For CPU time; empty when RabbitMQ was not started here. */
  rabbitmqPids: readonly number[]
  /** What the figures were taken on, one line each. */
  facts: readonly string[]
  /** Creates an empty database and returns its URL. It is dropped at the end. */
  createDatabase: (name: string) => Promise<string>
  stop: () => Promise<void>
}

export type WorldOptions = Pick<BenchOptions, 'seconds' | 'rounds' | 'viewers' | 'storedBids'>

/** One connection to a database of this run. */
export function openSql(cleanup: AsyncDisposableStack, url: string): Sql {
  return cleanup.adopt(connectPostgres(url, { max: 1, applicationName: 'bench' }), (sql) =>
    sql.end(),
  )
}

/** Postgres settings without which an acknowledged bid could be lost. */
const durable = ['fsync', 'synchronous_commit', 'full_page_writes'] as const

export async function openWorld({
  seconds,
  rounds,
  viewers,
  storedBids,
}: WorldOptions): Promise<World> {
  const log = progressOnStderr('bench:')
  const services = await startBackingServices({ log })
  const admin = connectPostgres(services.databaseUrl, { max: 1, applicationName: 'bench' })
  const load = startLoadProcess()
  const databases: string[] = []
  const stop = async (): Promise<void> => {
    await load.stop()
    for (const name of databases) await dropDatabase(admin, name)
    await admin.end()
    await services.stop()
  }
  try {
    await expectDurable(admin)
    return {
      log,
      amqpUrl: services.amqpUrl,
      redisUrl: services.redisUrl,
      load,
      measureMs: seconds * 1_000,
      rounds,
      viewers,
      storedBids,
      postmaster: await postmasterPid(admin),
      rabbitmqPids: services.rabbitmq ? [services.rabbitmq.pid] : [],
      facts: await facts(admin, services.source),
      async createDatabase(name) {
        await dropDatabase(admin, name)
        await admin`CREATE DATABASE ${admin(name)}`
        databases.push(name)
        return withDatabase(services.databaseUrl, name)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function dropDatabase(admin: Sql, name: string): Promise<void> {
  await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`
}

async function expectDurable(sql: Sql): Promise<void> {
  for (const name of durable) {
    const [row] = await sql<{ value: string }[]>`SELECT current_setting(${name}) AS value`
    if (row?.value !== 'on') {
      throw new Error(
        `${name} is ${row?.value}: figures of a database that may forget are no figures`,
      )
    }
  }
}

async function facts(sql: Sql, source: string): Promise<string[]> {
  const [row] = await sql<
    { version: string }[]
  >`SELECT current_setting('server_version') AS version`
  const flushMs = await measureFlushMs()
  return [
    `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), generator included`,
    `Node ${process.versions.node}, Postgres ${row?.version} (${source}), ${durable.join(' = ')} = on`,
    `8 kB written and flushed to disk in ${formatNumber(flushMs)} ms, in the temporary folder: the slower, the more a batch gains`,
  ]
}

/** Median of enough flushes to smooth one that met others; one transaction per bid pays each. */
const flushes = 50

async function measureFlushMs(): Promise<number> {
  const path = join(tmpdir(), `bidmesh-bench-${process.pid}`)
  const file = await open(path, 'w')
  const tookMs: number[] = []
  const page = Buffer.alloc(8_192, 1)
  try {
    for (let flush = 0; flush < flushes; flush += 1) {
      const startedMs = performance.now()
      await file.write(page)
      await file.datasync()
      tookMs.push(performance.now() - startedMs)
    }
  } finally {
    await file.close()
    await rm(path)
  }
  return median(tookMs)
}
