/**
 * Everything in one process: an embedded real Postgres, the services on one port, a broker in memory.
 * Events are durable all the same: the relay deletes an event from the outbox only after the consumer has
 * applied it. What a newcomer starts, and what a single machine can run.
 */
import { resolve } from 'node:path'
import { startAuctioneerComponent, startBid } from '@bidmesh/bid/bid-component.ts'
import type { BidmeshClient } from '@bidmesh/client'
import { startLive } from '@bidmesh/live/live-component.ts'
import { startRelayComponent } from '@bidmesh/outbox-worker/relay-component.ts'
import { createMemoryBroker } from '@bidmesh/platform/broker/broker-memory.ts'
import { startEmbeddedPostgres } from '@bidmesh/platform/postgres/embedded-postgres.ts'
import { ensureDatabase } from '@bidmesh/platform/postgres/ensure-database.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import { isRunning } from '@bidmesh/platform/process/process-end.ts'
import { type ProcessContext, runProcess } from '@bidmesh/platform/process/run-process.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { callInProcess } from '@bidmesh/platform/rpc/service-client.ts'
import { openSession } from '@bidmesh/platform/postgres/session.ts'
import { startStats } from '@bidmesh/stats/stats-component.ts'
import { signInOf } from '@bidmesh/web-server/sign-in.ts'
import { builtWebDir, createWebComponent } from '@bidmesh/web-server/web-component.ts'
import { storePast } from './bots-past.ts'
import { createBots } from './bots.ts'
import { readStandaloneConfig, type StandaloneConfig } from './config.ts'
import { claimDataDirectory } from './data-directory.ts'
import { createDemoClient } from './demo-client.ts'
import { putUpDemoItems } from './demo-items.ts'
import { greeting } from './greeting.ts'

/** The same as a bid process of its own. */
const LANES = 2

/** A laptop's share; a live process of its own takes more. */
const VIEWERS_MAX = 10_000

/** How often we look whether Postgres is there. */
const POSTGRES_LOOK_MS = 1_000

/** `npm run dev -w web` */
const APP_WITH_HOT_RELOAD = 'http://localhost:5173'

/** Let loose once the port answers. */
let letBotsLoose: ((client: BidmeshClient) => void) | undefined

await runProcess({ name: 'standalone', config: readStandaloneConfig, start, started })

async function start(config: StandaloneConfig, context: ProcessContext) {
  const { log, signal, onStop } = context
  const { bidUrl, statsUrl } = await startDatabases(config, context)
  const broker = createMemoryBroker({ log })
  onStop(() => broker.close())
  const redisUrl = undefined
  const writeSide = { databaseUrl: bidUrl, redisUrl, log, signal }
  // First the consumers' queues, then who publishes to them.
  const stats = await startStats({ databaseUrl: statsUrl, redisUrl, broker, log, signal })
  const bid = await startBid({ ...writeSide, lanes: LANES, operatorIds: config.OPERATOR_IDS })
  if (config.BOTS > 0) await giveBotsAPast(bidUrl, log)
  const live = await startLive({
    bidService: callInProcess(bid, log),
    redisUrl,
    broker,
    viewersMax: VIEWERS_MAX,
    log,
  })
  const auctioneer = await startAuctioneerComponent(writeSide)
  const relay = await startRelayComponent({ databaseUrl: bidUrl, broker, log, signal })
  const web = createWebComponent({ dir: builtWebDir, signIn: signInOf(config), log })
  const bots = createBots({ count: config.BOTS, log })
  letBotsLoose = bots.begin
  return [
    ...(await issuerOf(config, log)),
    stats,
    bid,
    auctioneer,
    live,
    relay,
    web,
    bots.component,
  ]
}

/** On the port of everything else, where a browser may know this machine by two names. */
async function issuerOf({ hasIssuer, ...config }: StandaloneConfig, log: Log) {
  const { OIDC_ISSUER: issuer, DEV_ISSUER_TOKEN_SECONDS: tokenSeconds, PORT } = config
  if (!hasIssuer || issuer === undefined) return []
  // Loaded by who needs it: it has words about Node for whoever loads it.
  const { createDevIssuerComponent } = await import('@bidmesh/dev-issuer/dev-issuer-component.ts')
  const own = ['localhost', '127.0.0.1'].map((name) => `http://${name}:${PORT}`)
  const webUrls = [...own, APP_WITH_HOT_RELOAD]
  return [createDevIssuerComponent({ issuer, webUrls, tokenSeconds, log })]
}

/** Before the relay starts: the past is told like everything else. */
async function giveBotsAPast(url: string, log: Log): Promise<void> {
  const session = openSession(url, { applicationName: 'bidmesh bots' })
  const auctions = await storePast(session)
  await session.close()
  if (auctions > 0) log.info({ auctions }, 'the market has a day behind it')
}

async function startDatabases(config: StandaloneConfig, { log, onStop }: ProcessContext) {
  const dataDir = resolve(config.BIDMESH_DATA_DIR)
  const postgres = await startEmbeddedPostgres({ dataDir: `${dataDir}/postgres`, log })
  const serverUrl = postgres.url('postgres')
  const address = `http://${config.HOST}:${config.PORT}`
  // Refused: the server is somebody else's, and is left alone.
  const claim = await claimDataDirectory({ url: serverUrl, address, dataDir })
  // Undone last first: nobody may claim a Postgres that is about to stop.
  onStop(claim.release)
  onStop(postgres.stop)
  endWith(postgres.pid, log)
  const bid = await ensureDatabase(serverUrl, 'bidmesh_bid')
  const stats = await ensureDatabase(serverUrl, 'bidmesh_stats')
  return { bidUrl: bid.url, statsUrl: stats.url }
}

/** Without its Postgres this process is nothing. Whoever runs it starts it again, and nothing is lost. */
function endWith(postgresPid: number, log: Log): void {
  const look = setInterval(() => {
    if (isRunning(postgresPid)) return
    clearInterval(look)
    log.fatal('the embedded Postgres has ended: start again, no acknowledged bid is lost')
    process.kill(process.pid, 'SIGTERM')
  }, POSTGRES_LOOK_MS)
  look.unref()
}

async function started({ url }: Server, config: StandaloneConfig): Promise<void> {
  const { hasIssuer, OIDC_ISSUER: issuer } = config
  const client = createDemoClient(url, hasIssuer ? issuer : undefined)
  // With tokens of somebody else's issuer: nobody has one for their sellers.
  if (config.AUTH_MODE === 'trusted' || hasIssuer) await putUpDemoItems(client.bids)
  letBotsLoose?.(client)
  process.stdout.write(await greeting(url, client.bids, hasIssuer ? issuer : undefined))
}
