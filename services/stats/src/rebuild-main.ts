/** `npm run rebuild -w services/stats`: recomputes the statistics, with a progress bar. */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { ConfigError } from '@bidmesh/platform/process/config.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { connectRedis } from '@bidmesh/platform/redis/redis.ts'
import { openSession } from '@bidmesh/platform/postgres/session.ts'
import { SingleBar } from 'cli-progress'
import { readRebuildConfig } from './config.ts'
import { createLeaderboards, noLeaderboards } from './leaderboards.ts'
import { rebuild } from './rebuild.ts'

const HELP = `Recomputes the statistics from the write side, while the service runs on.

  npm run rebuild -w services/stats    (in the image: rebuild)

  DATABASE_URL      the stats database, as the owner of its tables: they are emptied first
  BID_DATABASE_URL  the write side's database, only read
  REDIS_URL         optional: the leaderboards are dropped and filled again

Interrupted, it can simply be run again.
`

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
if (values.help) process.stdout.write(HELP)
else process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const config = readRebuildConfig()
    const log = createLog({ name: 'rebuild', level: 'warn' })
    const settings = { max: 1, applicationName: 'bidmesh rebuild' }
    const sql = connectPostgres(config.DATABASE_URL, settings)
    const session = openSession(config.DATABASE_URL, settings)
    const bidSql = connectPostgres(config.BID_DATABASE_URL, settings)
    const redis = config.REDIS_URL ? await connectRedis(config.REDIS_URL, { log }) : undefined
    const leaderboards = redis ? createLeaderboards(redis, sql, log) : noLeaderboards
    const bar = new SingleBar({
      format: '  {bar} {percentage}%  {value} of {total} facts  {rate}/s  {eta_formatted} left',
      noTTYOutput: true,
      notTTYSchedule: 1_000,
    })
    const startMs = performance.now()
    const rate = (done: number) => Math.round((done / (performance.now() - startMs)) * 1_000)
    try {
      // Rejects with the reason when Redis is unavailable: before anything is thrown away.
      if (redis) await once(redis, 'ready').catch(refuseWithoutRedis)
      bar.start(0, 0, { rate: 0 })
      const done = await rebuild({
        session,
        bidSql,
        leaderboards,
        onProgress: (count, total) => {
          bar.setTotal(Math.max(count, total))
          bar.update(count, { rate: rate(count) })
        },
      })
      bar.stop()
      process.stdout.write(`rebuilt from ${done} bids and ended items, ${rate(done)}/s\n`)
    } finally {
      bar.stop()
      redis?.disconnect()
      await Promise.all([session.close(), sql.end(), bidSql.end()])
    }
    return 0
  } catch (error) {
    const hint = error instanceof ConfigError ? HELP : 'Nothing is lost: run it again.\n'
    process.stderr.write(`${messageOf(error)}\n\n${hint}`)
    return 1
  }
}

function refuseWithoutRedis(error: unknown): never {
  throw new Error(`Redis is unavailable, so nothing was touched: ${messageOf(error)}`, {
    cause: error,
  })
}
