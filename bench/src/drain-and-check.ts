/**
 * The end of a scenario on the lanes: the real relay and the real stats service carry whatever the outbox
 * holds to the statistics, and then every invariant is checked.
 */
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { checkInvariants } from '@bidmesh/invariants/check-invariants.ts'
import { claimStatsQueue } from './claim-stats-queue.ts'
import { type ServerProcess, spawnServer } from './spawn-server.ts'
import type { Target } from './target.ts'
import { untilDrained } from '@bidmesh/invariants/until-drained.ts'
import { openSql, type World } from './world.ts'

/** The read side behind a target. */
export type Pipeline = { relay: ServerProcess; stats: ServerProcess; statsSql: Sql }

/** Starts a relay and a stats service behind a target's database; `cleanup` takes over their ending. */
export async function startPipeline(
  world: World,
  cleanup: AsyncDisposableStack,
  target: Target,
): Promise<Pipeline> {
  const { amqpUrl: AMQP_URL, redisUrl: REDIS_URL } = world
  await claimStatsQueue(cleanup, AMQP_URL)
  const statsUrl = await world.createDatabase(`${databaseName(target.databaseUrl)}_stats`)
  const statsSql = openSql(cleanup, statsUrl)
  // First the queue, then what goes into it: an event that finds no queue waits in the outbox.
  const stats = await spawnServer(cleanup, '@bidmesh/stats/main.ts', {
    DATABASE_URL: statsUrl,
    AMQP_URL,
    REDIS_URL,
  })
  const relay = await spawnServer(cleanup, '@bidmesh/outbox-worker/main.ts', {
    DATABASE_URL: target.databaseUrl,
    AMQP_URL,
  })
  return { relay, stats, statsSql }
}

function databaseName(url: string): string {
  return new URL(url).pathname.slice(1)
}

/** Drains and checks a target of the lanes; violations as lines. */
export async function drainAndCheck(world: World, target: Target): Promise<string[]> {
  await using cleanup = new AsyncDisposableStack()
  return await checkDrained(world, target, await startPipeline(world, cleanup, target))
}

/** The same with a pipeline that runs already. */
export async function checkDrained(
  world: World,
  target: Target,
  { statsSql }: Pipeline,
): Promise<string[]> {
  if (target.sql) await untilDrained(target.sql, statsSql, world.log)
  return await check(world, target, statsSql)
}

type Checked = Pick<Target, 'sql' | 'ledger'> & { name: string }

/**
 * I1–I3 and I7 of a target whose events nobody consumes.
 *
 * @param items ids: only of these; of all when left out
 */
export async function checkBids(
  world: World,
  target: Checked,
  items?: readonly string[],
): Promise<string[]> {
  return await check(world, target, undefined, items)
}

async function check(
  world: World,
  { name, sql, ledger }: Checked,
  statsSql: Sql | undefined,
  items?: readonly string[],
): Promise<string[]> {
  if (sql === undefined) throw new Error(`${name} has no database to check`)
  const violations = await checkInvariants({
    bidSql: sql,
    statsSql,
    ledger,
    items,
    // The items were put there by SQL, and the baseline keeps no history.
    fullHistory: false,
  })
  const fields = { acknowledged: ledger.length, violations: violations.length }
  world.log.info(fields, `${name}: checked ${statsSql ? 'I1–I5, I7' : 'I1–I3, I7'}`)
  return violations.map(({ invariant, message }) => `${name}: ${invariant}: ${message}`)
}
