/**
 * (j) A store that already has ten million bids on a hundred thousand items, beside one that has none: what a bidder, who reads
 * lists, and an end that comes wait for it. Both have the same 200 items that are bid on.
 */
import { randomUUIDv7 } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { median } from '../report/percentile.ts'
import { medianOf, p50Ms, p99Ms, ratioOf, runOn, takeTurns, warmUp } from '../rounds.ts'
import { spawnServer } from '../spawn-server.ts'
import { insertItems, startTarget, type Target } from '../target.ts'
import type { World } from '../world.ts'

const storedItems = 100_000
const bidsPerItem = 100
const storedBidders = 10_000
const itemCount = 200
/** Of each list, per round. */
const reads = 40
const endingCount = 100
/** To insert them, and over how long they end. */
const ends = { lastMs: 1_500, spreadMs: 1_000 }

type Name = 'none' | 'millions'

export async function runLargeStore(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const [none, millions] = await Promise.all([
    startStore(world, cleanup, 'none'),
    startStore(world, cleanup, 'millions'),
  ])
  world.log.info({ items: storedItems, bids: storedItems * bidsPerItem }, 'filling a store')
  await fill(millions.sql)
  const stores = { none, millions } as const
  for (const { target } of [none, millions]) await warmUp(world, target)
  const { measureMs } = world
  const bid = (name: Name) => () =>
    runOn(world, stores[name].target, { bidders: 1, sight: 'shared', measureMs })
  const bids = await takeTurns(world, { none: bid('none'), millions: bid('millions') })
  const lists = await inTurns(world, stores, readLists)
  const closings = await inTurns(world, stores, closeItems)
  const figures: Figure[] = [
    figure('p50 of a single bidder', [
      medianOf(bids, 'millions', p50Ms),
      medianOf(bids, 'none', p50Ms),
    ]),
    figure(
      'p99 of a single bidder',
      [medianOf(bids, 'millions', p99Ms), medianOf(bids, 'none', p99Ms)],
      ratioOf(bids, ['millions', 'none'], p99Ms),
    ),
    ...[...lists].map(([list, times]) => figure(list, times)),
    ...[...closings].map(([what, times]) => closing(what, times)),
  ]
  return { figures, notes: [], violations: await lost([none, millions]) }
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

/** A tenth of the items is open, for a month; the others have ended within the last one. */
async function fill(sql: Sql): Promise<void> {
  await sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price, min_increment,
      soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, created_at, updated_at, start_at,
      original_end_at, end_at, status, outcome, current_highest_bid, highest_bidder_id, sequence, version)
    SELECT ${idAt(sql, sql`t`)}, 'Lamp ' || n, repeat('A lamp. ', 20), '{}', 'lamps-' || n % 50, 'seller-' || n % 1000, 'USD', 100, 0,
      30000, 30000, 5, t, t, t, until, until, CASE WHEN is_open THEN 'active' ELSE 'ended' END,
      CASE WHEN is_open THEN NULL ELSE 'sold' END, (100 + n % 1000) * ${bidsPerItem}::bigint, 'bidder-0', ${bidsPerItem}::bigint, ${bidsPerItem + 2}::bigint
    FROM generate_series(1, ${storedItems}::bigint) AS n, LATERAL (
      SELECT n % 10 = 0 AS is_open, date_trunc('milliseconds', now()) - n * interval '25 s' AS t
    ) AS placed, LATERAL (
      SELECT t + CASE WHEN is_open THEN interval '60 days' ELSE interval '5 s' END AS until
    ) AS ended`
  await sql`
    INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
    SELECT item.id, s, ${idAt(sql, sql`t`)}, 'stored-' || (n * 7 + s * 13) % ${storedBidders}::bigint,
      item.current_highest_bid * s / ${bidsPerItem}::bigint, t
    FROM (
      SELECT id, created_at, current_highest_bid, row_number() OVER () AS n FROM items WHERE category LIKE 'lamps-%'
    ) AS item, generate_series(1, ${bidsPerItem}::bigint) AS s, LATERAL (
      SELECT item.created_at + s * interval '40 ms' AS t
    ) AS placed`
  await sql`ANALYZE`
  await sql`CHECKPOINT`
}

/** A UUID of version 7 of this time, as the service would have drawn it. */
function idAt(sql: Sql, time: ReturnType<Sql>) {
  const hex = sql`lpad(to_hex((extract(epoch FROM ${time}) * 1000)::bigint), 12, '0')`
  return sql`(left(${hex}, 8) || '-' || right(${hex}, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid`
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

/** How late ends are, by the time at which the history recorded them. */
async function closeItems({ sql }: Store): Promise<ReadonlyMap<string, number>> {
  const ids = Array.from({ length: endingCount }, () => randomUUIDv7())
  await insertItems(sql, ids, ends)
  for (;;) {
    await sleep(100)
    const late = await sql<{ ms: number }[]>`
      SELECT (extract(epoch FROM recorded_at - end_at) * 1000)::float8 AS ms
      FROM items JOIN item_events e ON item_id = items.id AND e.version = items.version
      WHERE items.id = ANY (${ids}::uuid[]) AND status = 'ended'`
    if (late.length === endingCount)
      return new Map([['an item closed after its end', median(late.map(({ ms }) => ms))]])
  }
}

/** Acknowledged bids that are not there. All invariants over ten million bids are another bench. */
async function lost(stores: readonly Store[]): Promise<string[]> {
  const violations: string[] = []
  for (const { target, sql } of stores) {
    const ids = target.items.map(({ id }) => id)
    const rows = await sql<
      { id: string }[]
    >`SELECT id FROM bids WHERE item_id = ANY (${ids}::uuid[])`
    const stored = new Set(rows.map(({ id }) => id))
    const missing = target.ledger.filter(({ bidId }) => !stored.has(bidId)).length
    if (missing > 0) violations.push(`${missing} acknowledged bids are not stored`)
  }
  return violations
}

function figure(name: string, [millions, none]: Times, ratio = millions / none): Figure {
  return {
    scenario: 'large store',
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
