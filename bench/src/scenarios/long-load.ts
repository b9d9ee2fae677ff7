/**
 * (k) Ten minutes of full load on a thousand items, with relay and statistics behind them, and then, those standing still, the
 * same store beside a new one: what updates and deletes leave behind must not slow bids, nor the outbox stay as large as it once was.
 */
import { untilDrained } from '@bidmesh/invariants/until-drained.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { checkBids, checkDrained, startPipeline } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { acceptedPerSecond, medianOf, ratioOf, runOn, takeTurns, warmUp } from '../rounds.ts'
import { startTarget } from '../target.ts'
import type { World } from '../world.ts'

const minutes = 10
const minuteMs = 60_000
const itemCount = 1_000
const bidding = { bidders: 128, sight: 'shared' } as const

export async function runLongLoad(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const used = await startTarget(world, cleanup, 'lanes', 'used', itemCount)
  const { sql } = used
  if (sql === undefined) throw new Error('the lanes have no database')
  const pipeline = await startPipeline(world, cleanup, used)
  const notes: string[] = []
  for (let minute = 1; minute <= minutes; minute += 1) {
    const result = await runOn(world, used, { ...bidding, measureMs: minuteMs })
    const rate = formatNumber(acceptedPerSecond(result))
    notes.push(`minute ${minute}: ${rate} accepted/s; ${await bloatOf(sql)}`)
    world.log.info({ 'accepted/s': rate }, `minute ${minute} of ${minutes}`)
  }
  await untilDrained(sql, pipeline.statsSql, world.log)
  notes.push(`drained: ${await bloatOf(sql)}`)
  const fresh = await startTarget(world, cleanup, 'lanes', 'fresh', itemCount)
  await warmUp(world, fresh)
  const { measureMs } = world
  const readSide = [pipeline.relay.pid, pipeline.stats.pid]
  for (const pid of readSide) process.kill(pid, 'SIGSTOP')
  const results = await takeTurns(world, {
    fresh: () => runOn(world, fresh, { ...bidding, measureMs }),
    used: () => runOn(world, used, { ...bidding, measureMs }),
  })
  for (const pid of readSide) process.kill(pid, 'SIGCONT')
  const figure: Figure = {
    scenario: 'long load',
    name: `accepted bids/s after ${minutes} minutes of full load, 1,000 items`,
    ours: formatNumber(medianOf(results, 'used', acceptedPerSecond)),
    against: `${formatNumber(medianOf(results, 'fresh', acceptedPerSecond))} in a new store`,
    value: ratioOf(results, ['used', 'fresh'], acceptedPerSecond),
    target: { kind: 'at least', value: 0.9, unit: '×' },
  }
  const violations = [
    ...(await checkDrained(world, used, pipeline)),
    ...(await checkBids(world, fresh)),
  ]
  return { figures: [figure], notes, violations }
}

/** How large the tables are whose rows change or go. */
async function bloatOf(sql: Sql): Promise<string> {
  const rows = await sql<{ name: string; bytes: bigint; dead: bigint }[]>`
    SELECT relname AS name, pg_total_relation_size(relid) AS bytes, n_dead_tup AS dead
    FROM pg_stat_user_tables WHERE relname IN ('items', 'outbox') ORDER BY relname`
  const tables = rows.map(
    ({ name, bytes, dead }) =>
      `${name} ${formatNumber(Number(bytes) / 1e6)} MB, ${dead.toLocaleString('en-US')} dead rows`,
  )
  return tables.join('; ')
}
