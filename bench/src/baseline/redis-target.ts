/**
 * A Redis of our own for bids in Redis, which flushes its file before it answers, as Postgres does: a lost bid would be none
 * of the machine's. Another Redis would share its time with the platform's.
 */
import { join } from 'node:path'
import { bidNodeOptions } from '@bidmesh/bid/node-options.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { startNativeProcess } from '@bidmesh/platform/testing/native-process.ts'
import {
  createPrivateDirectory,
  type PrivateDirectory,
} from '@bidmesh/platform/testing/private-directory.ts'
import { serviceChecks } from '@bidmesh/platform/testing/service-checks.ts'
import { Redis } from 'ioredis'
import { findProgram } from '../find-program.ts'
import { INCREMENT_MINOR } from '../load/load-generator.ts'
import { spawnServer } from '../spawn-server.ts'
import { auctionMs, newItems, type Target } from '../target.ts'
import type { World } from '../world.ts'
import { checkRedis } from './check-redis.ts'
import { putUpRedisItem } from './redis-bids.ts'

export type RedisTarget = Target & {
  /** Violations as lines, once nobody bids any more. */
  check: () => Promise<string[]>
}

/** Shown where the rows would be. */
export const noRedis = 'there is no redis-server on this machine: bids in Redis were left out'

/** Undefined where there is no `redis-server`; `cleanup` takes over the ending. */
export async function startRedisTarget(
  world: World,
  cleanup: AsyncDisposableStack,
  itemCount: number,
): Promise<RedisTarget | undefined> {
  const file = await findProgram('redis-server')
  if (file === undefined) return undefined
  const directory = cleanup.adopt(await createPrivateDirectory(), ({ remove }) => remove())
  const { url, pid } = await startDurableRedis(file, directory)
  const redis = cleanup.adopt(new Redis(url), (client) => client.disconnect())
  const items = newItems(itemCount)
  const terms = { sellerId: 'seller', startPrice: INCREMENT_MINOR, minIncrement: INCREMENT_MINOR }
  for (const { id } of items) await putUpRedisItem(redis, id, { ...terms, durationMs: auctionMs })
  const target: Target = {
    name: 'redis',
    server: await spawnServer(cleanup, './baseline/redis-server.ts', {
      REDIS_URL: url,
      NODE_OPTIONS: bidNodeOptions,
    }),
    decides: true,
    sql: undefined,
    database: pid,
    databaseUrl: '',
    items,
    ledger: [],
  }
  return {
    ...target,
    async check() {
      const ids = items.map(({ id }) => id)
      const violations = await checkRedis(redis, ids, target.ledger)
      const fields = { acknowledged: target.ledger.length, violations: violations.length }
      world.log.info(fields, 'redis: checked')
      return violations
    },
  }
}

async function startDurableRedis(
  file: string,
  directory: PrivateDirectory,
): Promise<{ url: string; pid: number }> {
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory.path]
  const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
  const pid = await startNativeProcess(
    {
      file,
      args: [...where, ...durable],
      env: process.env,
      logFile: join(directory.path, 'redis.log'),
      check: async () => await serviceChecks.redis(url),
    },
    async (started) => await directory.reap('redis', -started, 'KILL'),
  )
  return { url, pid }
}
