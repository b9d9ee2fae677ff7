/**
 * What bids are fired at: the bid service (`lanes`), one transaction per bid (`baseline`), a bare echo
 * (`echo`). Each is one Node process; those that decide bids have a database of their own with the same
 * items.
 */
import { randomUUIDv7 } from 'node:crypto'
import { bidSchema } from '@bidmesh/bid/schema.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { migrate } from '@bidmesh/platform/postgres/migrate.ts'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { INCREMENT_MINOR } from './load/load-generator.ts'
import { type ServerProcess, spawnServer } from './spawn-server.ts'
import { openSql, type World } from './world.ts'

/** Longer than any bench, far from any soft close. */
const auctionMs = 30 * 86_400_000

/** `plain` is the baseline with a round trip per statement. */
export type TargetName = 'lanes' | 'baseline' | 'plain' | 'echo'

export type Target = {
  name: TargetName
  server: ServerProcess
  /** Of its database; the echo has none. */
  sql: Sql | undefined
  databaseUrl: string
  /** Brings the server into the state in which this target is measured; before every load. */
  prepare?: () => Promise<void>
  items: { id: string; nextBid: number }[]
  /** All acknowledgements so far. */
  ledger: LedgerEntry[]
}

const mains = {
  lanes: '@bidmesh/bid/main.ts',
  baseline: './baseline/baseline-server.ts',
  echo: './baseline/echo-server.ts',
} as const

/**
 * @param cleanup takes over its ending
 * @param scenario prefix of the database's name
 */
export async function startTarget(
  world: World,
  cleanup: AsyncDisposableStack,
  name: keyof typeof mains,
  scenario: string,
  itemCount: number,
): Promise<Target> {
  const databaseUrl = name === 'echo' ? '' : await bidDatabase(world, `${scenario}_${name}`)
  const { amqpUrl: AMQP_URL, redisUrl: REDIS_URL } = world
  const server = await spawnServer(cleanup, mains[name], {
    DATABASE_URL: databaseUrl,
    AMQP_URL,
    REDIS_URL,
  })
  const sql = databaseUrl ? openSql(cleanup, databaseUrl) : undefined
  const items = Array.from({ length: itemCount }, () => ({
    id: randomUUIDv7(),
    nextBid: INCREMENT_MINOR,
  }))
  if (sql)
    await insertItems(
      sql,
      items.map((item) => item.id),
      { lastMs: auctionMs },
    )
  return {
    name,
    server,
    sql,
    databaseUrl,
    items,
    ledger: [],
  }
}

export async function bidDatabase(world: World, name: string): Promise<string> {
  const url = await world.createDatabase(`bidmesh_bench_${name}`)
  await migrate({ ...bidSchema, url, log: world.log })
  return url
}

/** @param ends the first one's, from now, and over how long all of them are spread */
export async function insertItems(
  sql: Sql,
  ids: readonly string[],
  { lastMs, spreadMs = 0 }: { lastMs: number; spreadMs?: number },
): Promise<void> {
  await sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price,
      min_increment, soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
      created_at, updated_at, start_at, end_at, original_end_at)
    SELECT id, 'Bench', '', '{}', 'bench', 'seller', (ARRAY['USD', 'EUR', 'JPY'])[1 + place % 3], ${INCREMENT_MINOR}, ${INCREMENT_MINOR},
      30000, 30000, 5, 'active', t, t, t, t + lasts, t + lasts
    FROM unnest(${[...ids]}::uuid[]) WITH ORDINALITY AS given (id, place),
      date_trunc('milliseconds', clock_timestamp()) AS t,
      LATERAL (
        SELECT interval '1 ms' * (${lastMs}::bigint + place * ${spreadMs}::bigint / ${ids.length}::bigint) AS lasts
      )`
}
