/**
 * (j) A store that already has millions of bids, a hundred to each item, with their history, beside one that has none: what
 * bidders, who reads lists, and an end that comes feel of them. Both have the same 1,000 items that are bid on.
 */
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { checkBids } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { loadFigure } from '../report/load-figure.ts'
import { median } from '../report/percentile.ts'
import { targetNotes } from '../report/target-notes.ts'
import {
  acceptedPerSecond,
  medianOf,
  p50Ms,
  p99Ms,
  ratioOf,
  type Results,
  runOn,
  takeTurns,
  warmUp,
} from '../rounds.ts'
import { spawnServer } from '../spawn-server.ts'
import { startTarget, type Target } from '../target.ts'
import { openSql, type World } from '../world.ts'
import { endLatenessMs } from './end-lateness.ts'
import { fillStore } from './fill-store.ts'

const scenario = 'large store'
const itemCount = 1_000
const bidders = 128
/** Of each list, per round. */
const reads = 40

type Name = 'none' | 'millions'

export async function runLargeStore(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const none = await startStore(world, cleanup, 'none')
  const millions = await startStore(world, cleanup, 'millions')
  const { measureMs, storedBids } = world
  const beside = openSql(cleanup, millions.target.databaseUrl)
  world.log.info({ bids: storedBids }, 'filling a store')
  await fillStore([millions.sql, beside], storedBids)
  world.log.info({ size: await sizeOf(millions.sql) }, 'filled')
  const stores = { none, millions } as const
  for (const { target } of [none, millions, none, millions]) await warmUp(world, target, bidders)
  const bid = (count: number, items?: number) => {
    const on = (name: Name) => () => {
      const { target } = stores[name]
      const some = { ...target, items: target.items.slice(0, items) }
      return runOn(world, some, { bidders: count, sight: 'shared', measureMs })
    }
    return takeTurns(world, { none: on('none'), millions: on('millions') })
  }
  const hot = await bid(bidders, 1)
  const many = await bid(bidders)
  const alone = await bid(1)
  const lists = await inTurns(world, stores, readLists)
  const closings = await inTurns(world, stores, async ({ sql }) => {
    return new Map([['an item closed after its end', await endLatenessMs(sql)]])
  })
  return {
    figures: [
      accepted(hot, 'one item'),
      accepted(many, '1,000 items'),
      ...single(alone),
      ...[...lists].map(([list, times]) => figure(list, times)),
      ...[...closings].map(([what, times]) => closing(what, times)),
    ],
    notes: [
      `${formatNumber(storedBids)} bids stored before, with their history: ${await sizeOf(millions.sql)}`,
      ...targetNotes(hot).map((note) => `one item, ${note}`),
      ...targetNotes(many).map((note) => `1,000 items, ${note}`),
    ],
    violations: [...(await check(world, none, 0)), ...(await check(world, millions, storedBids))],
  }
}

type Store = { target: Target; sql: Sql }

async function startStore(world: World, cleanup: AsyncDisposableStack, name: Name): Promise<Store> {
  const target = await startTarget(world, cleanup, 'lanes', `store_${name}`, itemCount)
  if (target.sql === undefined) throw new Error('the lanes have no database')
  await spawnServer(cleanup, '@bidmesh/bid/auctioneer-main.ts', {
    DATABASE_URL: target.databaseUrl,
    REDIS_URL: world.redisUrl,
  })
  return { target, sql: target.sql }
}

type Times = [millions: number, none: number]
/** Medians of the rounds, in ms, by what was measured. */
type Measured = Map<string, Times>

async function inTurns(
  world: World,
  stores: Readonly<Record<Name, Store>>,
  measure: (store: Store) => Promise<ReadonlyMap<string, number>>,
): Promise<Measured> {
  const rounds: { millions: ReadonlyMap<string, number>; none: ReadonlyMap<string, number> }[] = []
  for (let round = 1; round <= world.rounds; round += 1) {
    const none = await measure(stores.none)
    rounds.push({ none, millions: await measure(stores.millions) })
    world.log.info({}, `round ${round}: ${[...none.keys()].join(', ')}`)
  }
  const of = (name: Name, what: string) =>
    median(rounds.map((each) => each[name].get(what) ?? Number.NaN))
  return new Map(
    [...(rounds[0]?.none.keys() ?? [])].map((what) => [
      what,
      [of('millions', what), of('none', what)],
    ]),
  )
}

async function readLists({ target, sql }: Store): Promise<ReadonlyMap<string, number>> {
  const [item] = target.items
  const [row] = await sql<{ userId: string; sellerId: string }[]>`
    SELECT user_id AS "userId", seller_id AS "sellerId" FROM bids JOIN items ON items.id = item_id
    ORDER BY bids.id LIMIT 1`
  const lists = {
    'newest items': ['ListItems', {}],
    'open items, ending soon': [
      'ListItems',
      { status: 'ITEM_STATUS_ACTIVE', orderBy: 'ENDING_SOON' },
    ],
    'items by rising price': ['ListItems', { orderBy: 'PRICE_ASC' }],
    "a seller's items": ['ListItems', { sellerId: row?.sellerId }],
    "an item's bids": ['GetItemBids', { itemId: item?.id }],
    "a bidder's bids": ['ListUserBids', { userId: row?.userId }],
  } as const
  const times = new Map<string, number>()
  for (const [name, [procedure, request]] of Object.entries(lists)) {
    const each: number[] = []
    for (let read = 0; read < reads; read += 1) {
      const startMs = performance.now()
      const response = await fetch(`${target.server.url}/bids.v1.BidService/${procedure}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${name}: ${text}`)
      each.push(performance.now() - startMs)
    }
    times.set(`p50 of a page: ${name}`, median(each))
  }
  return times
}

/** Of the items that were bid on; and that nothing is in the store but what was there before and what was acknowledged. */
async function check(world: World, { target, sql }: Store, before: number): Promise<string[]> {
  const violations = await checkBids(
    world,
    target,
    target.items.map(({ id }) => id),
  )
  const [row] = await sql<[{ bids: bigint }]>`SELECT count(*) AS bids FROM bids`
  const expected = before + target.ledger.length
  if (Number(row.bids) === expected) return violations
  return [...violations, `I1: there are ${row.bids} bids, ${expected} were stored and acknowledged`]
}

async function sizeOf(sql: Sql): Promise<string> {
  const [row] = await sql<[{ bytes: bigint }]>`
    SELECT pg_database_size(current_database()) AS bytes`
  return `${formatNumber(Number(row.bytes) / 1e9)} GB`
}

function accepted(results: Results, where: string): Figure {
  return loadFigure(results, {
    scenario,
    name: `accepted bids/s, ${bidders} bidders, ${where}`,
    measure: acceptedPerSecond,
    sides: ['millions', 'none'],
    what: 'with none',
    target: { kind: 'at least', value: 0.9, unit: '×' },
  })
}

function single(results: Results): Figure[] {
  return (['p50', 'p99'] as const).map((name) => {
    const measure = { p50: p50Ms, p99: p99Ms }[name]
    const times: Times = [
      medianOf(results, 'millions', measure),
      medianOf(results, 'none', measure),
    ]
    return figure(
      `${name} of a single bidder`,
      times,
      name === 'p99' ? ratioOf(results, ['millions', 'none'], measure) : undefined,
    )
  })
}

function figure(name: string, [millions, none]: Times, ratio = millions / none): Figure {
  return {
    scenario,
    name: `${name}, ms`,
    ours: formatNumber(millions),
    against: `${formatNumber(none)} with none`,
    value: ratio,
    target: { kind: 'at most', value: 1.5, unit: '×' },
  }
}

/** Judged by itself: the auctioneer wakes up within a few milliseconds of an end, or a few more. */
function closing(name: string, times: Times): Figure {
  return {
    ...figure(name, times),
    value: times[0],
    target: { kind: 'at most', value: 50, unit: 'ms' },
  }
}
