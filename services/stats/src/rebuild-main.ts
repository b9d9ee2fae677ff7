/** `npm run rebuild -w services/stats`: recomputes the statistics, with a progress bar. */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ConfigError } from '@bidmesh/platform/process/config.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { connectRedis } from '@bidmesh/platform/redis/redis.ts'
import { openSession } from '@bidmesh/platform/postgres/session.ts'
import { connectService } from '@bidmesh/platform/rpc/service-client.ts'
import { createClient } from '@connectrpc/connect'
// Of CommonJS: not all of its names can be imported one by one.
import cliProgress from 'cli-progress'
import { readRebuildConfig } from './config.ts'
import { createLeaderboards, noLeaderboards } from './leaderboards.ts'
import { rebuild } from './rebuild.ts'

const HELP = `Recomputes the statistics from all bids and items, while the service runs on.

  npm run rebuild -w services/stats    (in the image: rebuild)

  DATABASE_URL  the stats database, as the owner of its tables: they are emptied first
  BID_URL       the bid service, such as http://bid:8080
  SERVICE_TOKEN_FILE  where bid has AUTH_MODE=jwt: a file with a token of the role service
  REDIS_URL     optional: the leaderboards are dropped and filled again

Interrupted, it can simply be run again.
`

const FORMAT_WITHOUT_TOTAL = '  {value} items and bids  {rate}/s'
const FORMAT =
  '  {bar} {percentage}%  {value} of about {total} items and bids  {rate}/s  {eta_formatted} left'

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
    const bidService = connectService('bid', config.BID_URL, {
      tokenFile: config.SERVICE_TOKEN_FILE,
    })
    const redis = config.REDIS_URL ? await connectRedis(config.REDIS_URL, { log }) : undefined
    const leaderboards = redis ? createLeaderboards(redis, sql, log) : noLeaderboards
    const bar = createBar()
    const startMs = performance.now()
    const rate = (done: number) => Math.round((done / (performance.now() - startMs)) * 1_000)
    try {
      // Rejects with the reason when Redis is unavailable: before anything is thrown away.
      if (redis) await once(redis, 'ready').catch(refuseWithoutRedis)
      bar.start(0, 0, { rate: 0, format: FORMAT_WITHOUT_TOTAL })
      const done = await rebuild({
        session,
        bids: createClient(BidService, bidService.transport),
        leaderboards,
        onProgress: (count, total) => {
          bar.setTotal(Math.max(count, total))
          const format = total > 0 ? FORMAT : FORMAT_WITHOUT_TOTAL
          bar.update(count, { rate: rate(count), format })
        },
      })
      bar.stop()
      process.stdout.write(`rebuilt from ${done} items and bids, ${rate(done)}/s\n`)
    } finally {
      bar.stop()
      redis?.disconnect()
      await Promise.all([session.close(), sql.end()])
      bidService.close()
    }
    return 0
  } catch (error) {
    const hint = error instanceof ConfigError ? HELP : 'Nothing is lost: run it again.\n'
    process.stderr.write(`${messageOf(error)}\n\n${hint}`)
    return 1
  }
}

/** The payload brings the format, because a total is known once something has come, or never. */
function createBar() {
  return new cliProgress.SingleBar({
    format: (options, params, payload: { format: string }) =>
      cliProgress.Format.Formatter({ ...options, format: payload.format }, params, payload),
    noTTYOutput: true,
    notTTYSchedule: 1_000,
  })
}

function refuseWithoutRedis(error: unknown): never {
  throw new Error(`Redis is unavailable, so nothing was touched: ${messageOf(error)}`, {
    cause: error,
  })
}
