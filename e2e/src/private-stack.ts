/**
 * A local stack for one test file, on Postgres, RabbitMQ and Redis that nobody else uses: they can be
 * killed, and no queue holds what another test has left. The TEST_ variables are ignored for that reason.
 */
import { withDatabase } from '@bidmesh/platform/postgres/ensure-database.ts'
import { connectPostgres, type Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { ProgressLog } from '@bidmesh/platform/process/progress-log.ts'
import { startBackingServices } from '@bidmesh/platform/testing/backing-services.ts'
import type { Controllable } from '@bidmesh/platform/testing/running-service.ts'
import { startTcpProxy, type TcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { type Stack, type StackOptions, startStack } from '@bidmesh/stack/start-stack.ts'

/** A test looks at a database from a few places at once. */
const poolSize = 4
/** Of all processes together. */
const keptLines = 300

export type PrivateStack = {
  stack: Stack
  postgres: Controllable
  rabbitmq: Controllable
  redis: Controllable
  /** All that the processes and each of these services say to each other goes through here. */
  postgresProxy: TcpProxy
  amqpProxy: TcpProxy
  redisProxy: TcpProxy
  /** Between live and each bid process. */
  bidProxies: TcpProxy[]
  /** Past the proxy. Survives a restart of Postgres, as every pool of the project does. */
  bidSql: Sql
  statsSql: Sql
  /** What the processes log as an error, and which of them ended by themselves. No fault excuses either. */
  mishaps: string[]
  /** What the processes have logged of late, to explain a failed test. */
  lastLines: string[]
  /** Stops all of it, services included. */
  stop: () => Promise<void>
}

/** @param env over the environment of every process of the stack */
export async function startPrivateStack(env: StackOptions['env'] = {}): Promise<PrivateStack> {
  await using undo = new AsyncDisposableStack()
  const mishaps: string[] = []
  const lastLines: string[] = []
  const log: ProgressLog = {
    info: () => undefined,
    warn: (fields, message) => mishaps.push(`${message} ${JSON.stringify(fields)}`),
  }
  const services = await startBackingServices({ log, env: {} })
  undo.defer(services.stop)
  const { postgres, rabbitmq, redis } = services
  if (!postgres || !rabbitmq || !redis) throw new Error('these tests need services of their own')
  const proxyOf = async (url: string): Promise<TcpProxy> =>
    undo.adopt(await startTcpProxy(url), (proxy) => proxy.close())
  const postgresProxy = await proxyOf(services.databaseUrl)
  const amqpProxy = await proxyOf(services.amqpUrl)
  const redisProxy = await proxyOf(services.redisUrl)
  const bidProxies: TcpProxy[] = []
  const stack = await startStack({
    log,
    services: {
      ...services,
      databaseUrl: postgresProxy.url,
      amqpUrl: amqpProxy.url,
      redisUrl: redisProxy.url,
    },
    env,
    leadToBid: async (url) => {
      const proxy = await proxyOf(url)
      bidProxies.push(proxy)
      return proxy.url
    },
    output: (process, line) => {
      if (lastLines.push(`${process}: ${line}`) > keptLines) lastLines.shift()
      if (/"level":"(error|fatal)"/.test(line)) mishaps.push(`${process}: ${line}`)
    },
  })
  undo.defer(stack.stop)
  const open = (proxied: string): Sql => {
    const url = withDatabase(services.databaseUrl, new URL(proxied).pathname.slice(1))
    const sql = connectPostgres(url, { max: poolSize, applicationName: 'bidmesh-test' })
    undo.defer(() => sql.end({ timeout: 1 }))
    return sql
  }
  const [bidSql, statsSql] = [open(stack.bidDatabaseUrl), open(stack.statsDatabaseUrl)]
  const running = undo.move()
  const stop = () => running.disposeAsync()
  return {
    stack,
    postgres,
    rabbitmq,
    redis,
    postgresProxy,
    amqpProxy,
    redisProxy,
    bidProxies,
    bidSql,
    statsSql,
    mishaps,
    lastLines,
    stop,
  }
}
