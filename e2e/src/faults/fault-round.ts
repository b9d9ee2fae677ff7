/**
 * One round of a fault test: bidders bid, something is struck down at a seeded moment and comes back, the
 * bidders go on and leave, everything comes to rest, and every invariant must hold over all that happened
 * since the stack was started.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { checkInvariants } from '@bidmesh/invariants/check-invariants.ts'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { expect } from 'vitest'
import { type Crowd, gatherCrowd } from './bidding-crowd.ts'
import { callJson } from '../call-json.ts'
import type { PrivateStack } from '../private-stack.ts'
import { type Random, seededRandom } from './seeded-random.ts'

/** Enough for batches of many bids on a machine of two cores, which the stack needs too. */
const crowdSize = 24
/** Of a round; so few that bids meet on them, and in more than one lane and outbox shard. */
const lastingItems = 3
const currencies = ['USD', 'EUR', 'JPY'] as const
const lastingMs = 86_400_000
const startPrice = 100
/** The strike comes this long after the bidding has begun. */
const leadMs = { least: 20, most: 700 }
/** Beside them one that starts within the round, most often opened by its first bid … */
const startsInMs = { least: 50, most: 1_500 }
/** … and one that ends within the round, most often around the strike. */
const shortAuctionMs = { least: 500, most: 2_000 }
/** Bids that must be accepted before the strike and after it. */
const livelyBids = 100
/** The slowest comeback: a broker restarted on a busy machine, reconnected to after its back-off. */
const recoveryLimitMs = 60_000

export type FaultWorld = PrivateStack & {
  /** Everything that was acknowledged since the start. */
  ledger: LedgerEntry[]
}

export type Fault = {
  name: string
  /** Breaks something and mends it, while the crowd bids. */
  strike: (world: FaultWorld, random: Random, crowd: Crowd) => Promise<void>
}

/** Plays one round and returns how many bids were acknowledged; throws what was found wrong. */
export async function playRound(world: FaultWorld, fault: Fault, seed: number): Promise<number> {
  const random = seededRandom(seed)
  const itemIds = await createItems(world, random)
  const urls = world.stack.bid.map(({ url }) => url)
  const crowd = gatherCrowd({ urls, itemIds, bidders: crowdSize, startPrice })
  try {
    await acceptsMore(crowd, livelyBids)
    await sleep(random.between(leadMs.least, leadMs.most))
    await fault.strike(world, random, crowd)
    await acceptsMore(crowd, livelyBids)
  } finally {
    await crowd.leave()
    world.ledger.push(...crowd.ledger)
  }
  expect([...crowd.surprises, ...world.mishaps.splice(0)]).toEqual([])
  await comesToRest(world)
  await holdsInvariants(world)
  for (const id of itemIds) await showsItem(world, id)
  await showsLeaders(world)
  return crowd.ledger.length
}

/** Resolves when so many more bids have been acknowledged than when it was called. */
export async function acceptsMore(crowd: Crowd, bids: number): Promise<void> {
  const goal = crowd.ledger.length + bids
  await eventually(() => expect(crowd.ledger.length).toBeGreaterThanOrEqual(goal), {
    limitMs: recoveryLimitMs,
  })
}

/** The short one last: the first items put up find a stack that is cold, and take their time. */
async function createItems({ stack }: FaultWorld, random: Random): Promise<string[]> {
  const shortMs = random.between(shortAuctionMs.least, shortAuctionMs.most)
  const url = stack.bid[0]?.url ?? ''
  const lasting = Array.from({ length: lastingItems }, (_, n) =>
    createItem(url, lastingMs, 0, currencies[n]),
  )
  const scheduled = createItem(url, lastingMs, random.between(startsInMs.least, startsInMs.most))
  const itemIds = await Promise.all([...lasting, scheduled])
  return [await createItem(url, shortMs, 0), ...itemIds]
}

/** @param waitMs until it starts; 0: at once */
async function createItem(
  url: string,
  lifeMs: number,
  waitMs: number,
  currency = 'USD',
): Promise<string> {
  const { item } = await callJson<{ item: { id: string } }>(url, 'bids.v1.BidService/CreateItem', {
    title: 'Lamp',
    sellerId: 'seller',
    currency,
    startPrice,
    minIncrement: 1,
    ...(waitMs > 0 && { startAt: new Date(Date.now() + waitMs).toISOString() }),
    endAt: new Date(Date.now() + lifeMs).toISOString(),
    softClose: { maxExtensions: 0 },
  })
  return item.id
}

/** Every short auction is over and closed, the outbox is empty, and the inbox has every bid and end. */
export async function comesToRest(
  { bidSql, statsSql }: Pick<FaultWorld, 'bidSql' | 'statsSql'>,
  limitMs = recoveryLimitMs,
): Promise<void> {
  await eventually(
    async () => {
      const [left] = await bidSql`
        SELECT
          (SELECT count(*) FROM items
            WHERE status = 'active' AND end_at < clock_timestamp() + interval '1 hour') AS open,
          (SELECT count(*) FROM outbox) AS unsent`
      expect(left).toEqual({ open: 0n, unsent: 0n })
      const [happened] = await bidSql<{ events: bigint }[]>`
        SELECT (SELECT count(*) FROM bids) + (SELECT count(*) FROM items WHERE status = 'ended')
          AS events`
      const [applied] = await statsSql<
        { events: bigint }[]
      >`SELECT count(*) AS events FROM inbox_events`
      expect(applied).toEqual(happened)
    },
    { limitMs, intervalMs: 50 },
  )
}

async function holdsInvariants({ bidSql, statsSql, ledger }: FaultWorld): Promise<void> {
  expect(await checkInvariants({ bidSql, statsSql, ledger, fullHistory: true })).toEqual([])
  // Every bid was sent until it was decided: one in the database that nobody was told of is there twice.
  const [stored] = await bidSql<{ bids: bigint }[]>`SELECT count(*) AS bids FROM bids`
  expect(stored?.bids).toBe(BigInt(new Set(ledger.map(({ bidId }) => bidId)).size))
}

/** All bid processes answer with what is stored, their caches included. */
async function showsItem({ stack, bidSql }: FaultWorld, id: string): Promise<void> {
  const [stored] = await bidSql<{ sequence: bigint; highest: bigint; status: string }[]>`
    SELECT sequence, current_highest_bid AS highest, status FROM items WHERE id = ${id}`
  const expected = {
    sequence: String(stored?.sequence),
    currentHighestBid: String(stored?.highest),
    status: `ITEM_STATUS_${stored?.status.toUpperCase()}`,
  }
  for (const { url } of stack.bid) {
    // A copy outlives its second only when Redis could not be told.
    await eventually(async () => {
      const { item } = await callJson<{ item: object }>(url, 'bids.v1.BidService/GetItem', { id })
      expect(item).toMatchObject(expected)
    })
  }
}

/** The leaderboards, in Redis again or not, rank as the bids do: by count, and by the sum in each currency. */
async function showsLeaders({ stack, bidSql }: FaultWorld): Promise<void> {
  const byBids = await bidSql<{ userId: string; totalBids: string }[]>`
    SELECT user_id AS "userId", count(*)::text AS "totalBids" FROM bids
    GROUP BY user_id ORDER BY count(*) DESC, user_id LIMIT 10`
  await showsBidders(stack, { orderBy: 'TOTAL_BIDS' }, byBids)
  for (const currency of currencies) {
    const byAmount = await bidSql<{ userId: string }[]>`
      SELECT user_id AS "userId" FROM bids JOIN items ON items.id = item_id
      WHERE currency = ${currency}
      GROUP BY user_id ORDER BY sum(amount) DESC, user_id LIMIT 10`
    await showsBidders(stack, { orderBy: 'TOTAL_AMOUNT', currency }, byAmount)
  }
}

async function showsBidders(
  stack: FaultWorld['stack'],
  request: object,
  expected: readonly object[],
): Promise<void> {
  const procedure = 'userstats.v1.UserStatsService/ListTopBidders'
  for (const { url } of stack.stats) {
    // They are written after the commit that was waited for.
    await eventually(async () => {
      const { bidders } = await callJson<{ bidders: object[] }>(url, procedure, request)
      expect(bidders).toMatchObject([...expected])
    })
  }
}
