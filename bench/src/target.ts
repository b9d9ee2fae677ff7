/**
 * What bids are fired at, each one Node process: the bid service (`lanes`), one transaction per bid (`baseline`), a script
 * in Redis (`redis`, started by `baseline/redis-target.ts`), and three that decide nothing and answer a constant: Node's own
 * HTTP (`http`), the library's handler (`library`), our server around nothing (`responder`). Those that decide bids have a
 * database of their own with the same items.
 */
import { randomUUIDv7 } from 'node:crypto'
import { bidNodeOptions } from '@bidmesh/bid/node-options.ts'
import { bidSchema } from '@bidmesh/bid/schema.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { migrate } from '@bidmesh/platform/postgres/migrate.ts'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { INCREMENT_MINOR } from './load/load-generator.ts'
import { type ServerProcess, spawnServer } from './spawn-server.ts'
import { openSql, type World } from './world.ts'

/** Longer than any bench, far from any soft close. */
export const auctionMs = 30 * 86_400_000

const mains = {
  lanes: '@bidmesh/bid/main.ts',
  baseline: './baseline/baseline-server.ts',
  http: './baseline/http-server.ts',
  library: './baseline/library-server.ts',
  responder: './baseline/responder-server.ts',
} as const

/** `plain` is the baseline with a round trip per statement. */
export type TargetName = keyof typeof mains | 'plain' | 'redis'

export type Target = {
  name: TargetName
  server: ServerProcess
  /** Further processes on the same database, which take an even share of the bidders. */
  beside?: readonly ServerProcess[]
  /** Bids are decided and kept: acknowledgements can be checked, and prices go on where they were. */
  decides: boolean
  /** Of its Postgres, if it has one. */
  sql: Sql | undefined
  /** The first process of its database, for CPU time; undefined without one and where it cannot be seen. */
  database: number | undefined
  databaseUrl: string
  /** Brings the server into the state in which this target is measured; before every load. */
  prepare?: () => Promise<void>
  items: { id: string; nextBid: number }[]
  /** All acknowledgements so far. */
  ledger: LedgerEntry[]
}

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
  startPrice = INCREMENT_MINOR,
): Promise<Target> {
  const decides = name === 'lanes' || name === 'baseline'
  const databaseUrl = decides ? await bidDatabase(world, `${scenario}_${name}`) : ''
  const server = await spawnTarget(world, cleanup, name, databaseUrl)
  const sql = databaseUrl ? openSql(cleanup, databaseUrl) : undefined
  const items = newItems(itemCount, startPrice)
  if (sql)
    await insertItems(
      sql,
      items.map((item) => item.id),
      { lastMs: auctionMs, startPrice },
    )
  return {
    name,
    server,
    decides,
    sql,
    database: decides ? world.postmaster : undefined,
    databaseUrl,
    items,
    ledger: [],
  }
}

/** A process of a target on this database, which may have others. */
export async function spawnTarget(
  { amqpUrl: AMQP_URL, redisUrl: REDIS_URL }: World,
  cleanup: AsyncDisposableStack,
  name: keyof typeof mains,
  databaseUrl: string,
): Promise<ServerProcess> {
  const env = { DATABASE_URL: databaseUrl, AMQP_URL, REDIS_URL, NODE_OPTIONS: bidNodeOptions }
  return await spawnServer(cleanup, mains[name], env)
}

/** Not stored yet. */
export function newItems(count: number, startPrice = INCREMENT_MINOR): Target['items'] {
  return Array.from({ length: count }, () => ({ id: randomUUIDv7(), nextBid: startPrice }))
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
  {
    lastMs,
    spreadMs = 0,
    startPrice = INCREMENT_MINOR,
  }: { lastMs: number; spreadMs?: number; startPrice?: number },
): Promise<void> {
  await sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price,
      min_increment, soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
      created_at, updated_at, start_at, end_at, original_end_at)
    SELECT id, 'Bench', '', '{}', 'bench', 'seller', (ARRAY['USD', 'EUR', 'JPY'])[1 + place % 3], ${startPrice}, ${INCREMENT_MINOR},
      30000, 30000, 5, 'active', t, t, t, t + lasts, t + lasts
    FROM unnest(${[...ids]}::uuid[]) WITH ORDINALITY AS given (id, place),
      date_trunc('milliseconds', clock_timestamp()) AS t,
      LATERAL (
        SELECT interval '1 ms' * (${lastMs}::bigint + place * ${spreadMs}::bigint / ${ids.length}::bigint) AS lasts
      )`
}
