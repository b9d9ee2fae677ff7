/** Postgres is there and refuses: it takes reads only, or a table is unavailable, for a while, while bidders bid. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { expect } from 'vitest'
import { acceptsMore, type Fault, type FaultWorld } from './fault-round.ts'
import { faultSeries } from './fault-series.ts'

/** Bids that must be accepted while only the statistics have no database. */
const outageBids = 60
/** Before it is mended, at most, once everybody has noticed. */
const mostDownMs = 1_500
/** From the mending until every process is ready: seconds, on a machine of two cores that the stack needs too. */
const backLimitMs = 10_000

/** What a process says of itself, by component. */
async function partsOf(url: string): Promise<Record<string, string>> {
  const { components }: { components: Record<string, string> } = JSON.parse(
    await (await fetch(`${url}/readyz`)).text(),
  )
  return components
}

/** Every process of these kinds says so. */
async function say(
  { stack }: FaultWorld,
  kinds: readonly ('bid' | 'auctioneer' | 'relay' | 'stats' | 'live')[],
  state: unknown,
  limitMs?: number,
): Promise<void> {
  const processes = kinds.flatMap((kind) => stack[kind])
  const look = async () => {
    for (const { url } of processes) {
      for (const said of Object.values(await partsOf(url))) expect(said).toEqual(state)
    }
  }
  await eventually(look, limitMs === undefined ? {} : { limitMs })
}

const everybody = ['bid', 'auctioneer', 'relay', 'stats', 'live'] as const

const readOnly: Fault = {
  name: 'the database takes reads only for a while',
  strike: async (world, random, crowd) => {
    const { bidSql } = world
    const before = crowd.retries()
    try {
      await bidSql`ALTER SYSTEM SET default_transaction_read_only = on`
      await bidSql`SELECT pg_reload_conf()`
      await eventually(() => crowd.retries() > before)
      const readsOnly = expect.stringMatching(/reads only/)
      await say(world, ['bid', 'auctioneer', 'relay', 'stats'], readsOnly)
      await sleep(random.between(0, mostDownMs))
    } finally {
      await bidSql`ALTER SYSTEM RESET default_transaction_read_only`
      await bidSql`SELECT pg_reload_conf()`
    }
    await say(world, everybody, 'ok', backLimitMs)
  },
}

const tablesAway: Fault = {
  name: 'a table is missing for a while',
  strike: async (world, random, crowd) => {
    const before = crowd.retries()
    const ofBids = random.pick(['items', 'bids', 'outbox'])
    await without(world.bidSql, ofBids, async () => {
      await eventually(() => crowd.retries() > before)
      await say(world, ['bid', 'auctioneer'], expect.stringContaining(`table ${ofBids} missing`))
      await sleep(random.between(0, mostDownMs))
    })
    const ofStats = random.pick([
      'inbox_events',
      'user_items',
      'user_stats',
      'user_amounts',
      'market_activity',
    ])
    await without(world.statsSql, ofStats, async () => {
      await acceptsMore(crowd, outageBids)
      await say(world, ['stats'], expect.stringContaining(`table ${ofStats} missing`))
      await sleep(random.between(0, mostDownMs))
    })
    await say(world, everybody, 'ok', backLimitMs)
  },
}

async function without(sql: Sql, table: string, during: () => Promise<void>): Promise<void> {
  await sql`ALTER TABLE ${sql(table)} RENAME TO away`
  try {
    await during()
  } finally {
    await sql`ALTER TABLE away RENAME TO ${sql(table)}`
  }
}

faultSeries([readOnly, tablesAway])
