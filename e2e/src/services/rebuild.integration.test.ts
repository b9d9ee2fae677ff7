/**
 * Thrown away and recomputed from the bid service's stream: while events keep arriving, killed in the middle, while Redis
 * or the bid service is unavailable, and over streams that break off or fall silent.
 */
import { randomUUID } from 'node:crypto'
import { migrationsDirectory as bidMigrations, startBid } from '@bidmesh/bid/bid-component.ts'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { connectRedis, redisUp } from '@bidmesh/platform/redis/redis.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { callInProcess, connectService } from '@bidmesh/platform/rpc/service-client.ts'
import { startTcpProxy, type TcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import { createLeaderboards, noLeaderboards } from '@bidmesh/stats/leaderboards.ts'
import { projectEvents } from '@bidmesh/stats/project-events.ts'
import { listTopBidders } from '@bidmesh/stats/queries.ts'
import { rebuild, type RebuildOptions } from '@bidmesh/stats/rebuild.ts'
import type { Standing } from '@bidmesh/stats/standings.ts'
import { migrationsDirectory } from '@bidmesh/stats/stats-component.ts'
import {
  bidEvent,
  endEvent,
  recomputedProjections,
  storedProjections,
  testBid,
  type TestBid,
  type TestEnd,
} from '@bidmesh/stats/test-events.ts'

const cleanups: (() => unknown)[] = []
let stats: TestDatabase
let bids: TestDatabase
/** The bid service on that database. */
let bidService: Component
let source: Client<typeof BidService>
beforeEach(async () => {
  stats = await createTestDatabase(migrationsDirectory)
  cleanups.push(stats.drop)
  bids = await createTestDatabase(bidMigrations)
  cleanups.push(bids.drop)
  const { signal } = new AbortController()
  const settings = { databaseUrl: bids.url, redisUrl: undefined, lanes: 1, log: quietLog, signal }
  bidService = await startBid(settings)
  cleanups.push(bidService.stop)
  source = createClient(BidService, callInProcess(bidService, quietLog))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const day = Date.UTC(2026, 0, 1)
const currencies = ['USD', 'EUR', 'JPY']
const itemIds = Array.from({ length: 30 }, () => randomUUID()).toSorted()

const currencyOf = (item: number) => currencies[item % 3] ?? ''

/** Three chunks of bids on all items. Bids of those that have ended come chunks after the end. */
function history(): { placed: TestBid[]; ended: TestEnd[] } {
  const placed = Array.from({ length: 5_000 }, (_, n) =>
    testBid({
      itemId: itemIds[n % 30] ?? '',
      currency: currencyOf(n % 30),
      userId: `user-${(n * 7) % 11}`,
      amount: BigInt(n + 1),
      atMs: day + n * 977,
    }),
  )
  const ended = itemIds.slice(20).map((itemId, n): TestEnd => {
    const last = placed.findLast((bid) => bid.itemId === itemId)
    const winner = n > 2 && last && { winner: last }
    return { itemId, currency: currencyOf(20 + n), atMs: day + 10_000_000 + n, ...winner }
  })
  return { placed, ended }
}

/** What the write side commits. */
async function writeBids(placed: readonly TestBid[], sequenceFrom: number): Promise<void> {
  const rows = placed.map((bid, n) => ({
    id: bid.id,
    item_id: bid.itemId,
    user_id: bid.userId,
    amount: bid.amount,
    sequence: sequenceFrom + n,
    created_at: new Date(bid.atMs),
  }))
  await writeItems(placed)
  for (let n = 0; n < rows.length; n += 1_000) {
    await bids.sql`INSERT INTO bids ${bids.sql(rows.slice(n, n + 1_000))}`
  }
}

async function writeItems(placed: readonly TestBid[]): Promise<void> {
  const known = new Map(placed.map(({ itemId, currency }) => [itemId, currency]))
  await bids.sql`
    INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price,
      min_increment, soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions,
      created_at, updated_at, start_at, original_end_at, status, end_at)
    SELECT id, 'Lamp', '', '{}', '', 'seller', currency, 1, 0, 0, 0, 0, now(), now(), to_timestamp(0),
      now(), 'active', now()
    FROM unnest(${[...known.keys()]}::uuid[], ${[...known.values()]}::text[]) AS item (id, currency)
    ON CONFLICT (id) DO NOTHING`
}

async function writeEnds(ended: readonly TestEnd[]): Promise<void> {
  for (const { itemId, winner, atMs } of ended) {
    const endAt = new Date(atMs)
    await bids.sql`
      UPDATE items SET status = 'ended', original_end_at = ${endAt}, end_at = ${endAt},
        outcome = ${winner ? 'sold' : 'unsold'}, current_highest_bid = ${winner?.amount ?? 0n},
        highest_bidder_id = ${winner?.userId ?? ''}
      WHERE id = ${itemId}`
  }
}

const options = (over: Partial<RebuildOptions> = {}): RebuildOptions => ({
  session: stats.session,
  bids: source,
  pauseMs: 10,
  leaderboards: noLeaderboards,
  onProgress: () => undefined,
  ...over,
})

const stored = () => storedProjections(stats.sql)

it('mends projections that are wrong, and says how far it is', async () => {
  const { placed, ended } = history()
  await writeBids(placed, 1)
  await writeEnds(ended)
  await projectEvents(stats.session, [bidEvent(testBid({ userId: 'never was' }))])
  await stats.sql`UPDATE user_stats SET total_bids = 99, total_amount = 99`
  const progress: [number, number][] = []
  const onProgress = (done: number, total: number) => progress.push([done, total])
  await bids.sql`ANALYZE items, bids`
  expect(await rebuild(options({ onProgress }))).toBe(5_030)
  expect(await stored()).toEqual(recomputedProjections(placed, ended))
  expect(progress).toEqual([2_030, 4_030, 5_030].map((done) => [done, 5_030]))
})

it('while events keep arriving, late ones and repeats among them, each counts once', async () => {
  const { placed, ended } = history()
  await writeBids(placed.slice(0, 4_000), 1)
  // Applied before; and so old that the inbox has forgotten them.
  const early = placed.slice(0, 3_000).map((bid) => bidEvent(bid))
  await projectEvents(stats.session, early.slice(0, 1_000))
  await stats.sql`TRUNCATE inbox_events`
  await projectEvents(stats.session, early.slice(1_000))
  const rest = placed.slice(4_000)
  let rebuilt = false
  let batches = 0
  const feeding = (async () => {
    for (; !rebuilt || batches * 20 < rest.length; batches += 1) {
      const from = (batches * 20) % rest.length
      const batch = rest.slice(from, from + 20)
      // Committed on the write side before it is published; the second time round it is a repeat.
      if (batches * 20 < rest.length) await writeBids(batch, 10_000 + from)
      // With what was waiting in the queue when the rebuild began: older events not applied yet.
      const waiting = placed.slice(3_000 + from, 3_020 + from)
      await projectEvents(
        stats.session,
        [...batch, ...waiting].map((bid) => bidEvent(bid)),
      )
    }
  })()
  await eventually(() => batches >= 5)
  const before = batches
  await rebuild(options())
  expect(batches).toBeGreaterThan(before)
  rebuilt = true
  await feeding
  await writeEnds(ended)
  await projectEvents(
    stats.session,
    ended.map((end) => endEvent(end)),
  )
  expect(await stored()).toEqual(recomputedProjections(placed, ended))
})

it('killed in the middle it is simply run again', async () => {
  const { placed, ended } = history()
  await writeBids(placed, 1)
  await writeEnds(ended)
  const killed = new Error('killed')
  const onProgress = (done: number) => {
    if (done >= 4_000) throw killed
  }
  await expect(rebuild(options({ onProgress }))).rejects.toBe(killed)
  expect((await stored()).inbox).toHaveLength(4_010)
  // What is live goes on in between.
  await projectEvents(stats.session, [bidEvent(placed[4_999] ?? testBid())])
  await rebuild(options())
  expect(await stored()).toEqual(recomputedProjections(placed, ended))
})

it('two at once leave what one would', async () => {
  const { placed, ended } = history()
  await writeBids(placed, 1)
  await writeEnds(ended)
  await Promise.all([rebuild(options()), rebuild(options())])
  expect(await stored()).toEqual(recomputedProjections(placed, ended))
})

function tooHigh(userId: string): Standing[] {
  const rankings = ['bids', 'won', 'amount:EUR'] as const
  return rankings.map((ranking) => ({ ranking, userId, total: 10n ** 9n }))
}

it('the leaderboards are dropped and filled again: none keeps a total that was too high', async () => {
  const { placed, ended } = history()
  await writeBids(placed, 1)
  await writeEnds(ended)
  const redis = await connectRedis(inject('redisUrl'), {
    log: quietLog,
    keyPrefix: `test:${randomUUID()}:`,
  })
  const leaderboards = createLeaderboards(redis, stats.sql, quietLog)
  cleanups.push(async () => {
    await leaderboards.clear()
    redis.disconnect()
  })
  await eventually(() => redisUp(redis))
  await leaderboards.refill()
  await leaderboards.update([...tooHigh('user-0')])
  // A consumer whose batch was committed just before the TRUNCATE gets to Redis just after the clearing.
  let cleared = 0
  const clear = async () => {
    await leaderboards.clear()
    cleared += 1
    if (cleared > 1) return
    await leaderboards.update([...tooHigh('user-1')])
  }
  await rebuild(options({ leaderboards: { ...leaderboards, clear } }))
  for (const order of ['bids', 'amount', 'won'] as const) {
    const orderedBy = { order, currency: 'EUR', limit: 5 }
    const leaders = await listTopBidders(stats.sql, noLeaderboards, orderedBy)
    const ranking = order === 'amount' ? 'amount:EUR' : order
    expect(await leaderboards.top(ranking, 5)).toEqual(leaders.map(({ userId }) => userId))
  }
})

it('without the Redis it was to clear, nothing is thrown away', async () => {
  const bid = testBid()
  await projectEvents(stats.session, [bidEvent(bid)])
  const away = new Error('Redis is unavailable')
  const leaderboards = { ...noLeaderboards, clear: () => Promise.reject(away) }
  await expect(rebuild(options({ leaderboards }))).rejects.toBe(away)
  expect(await stored()).toEqual(recomputedProjections([bid], []))
})

it('without the bid service it was to ask, nothing is thrown away', async () => {
  const bid = testBid()
  await projectEvents(stats.session, [bidEvent(bid)])
  const nobody = callAt(`http://127.0.0.1:${await freePort()}`)
  await expect(rebuild(options({ bids: nobody }))).rejects.toThrow('bid service is unavailable')
  expect(await stored()).toEqual(recomputedProjections([bid], []))
})

/** The bid service at an address, as the command reaches it. */
function callAt(url: string): Client<typeof BidService> {
  const { transport, close } = connectService('bid', [url])
  cleanups.push(close)
  return createClient(BidService, transport)
}

type Ask = RebuildOptions['bids']['streamItems']
/** Told before each message of a stream but those of the first, by which it is seen that there is one. */
type Watch = (message: number, afterItemId: string) => Promise<void> | void

/** The streams of `told`, and after which item each was asked for. */
function watched(told: RebuildOptions['bids'], watch: Watch) {
  const asked: string[] = []
  const streamItems: Ask = async function* streamItems(request, call) {
    const afterItemId = request.afterItemId ?? ''
    const isApplied = asked.push(afterItemId) > 1
    let messages = 0
    for await (const message of told.streamItems(request, call)) {
      if (isApplied) await watch(messages, afterItemId)
      messages += 1
      yield message
    }
  }
  return { asked, breaking: { streamItems } }
}

const lost = new ConnectError('the connection was lost', Code.Unavailable)

/** Items without bids, three hundreds in all. */
async function writeMoreItems(): Promise<void> {
  await writeItems(Array.from({ length: 270 }, () => testBid()))
}

it('a stream that breaks off goes on where it was, with what was not yet complete', async () => {
  const { placed, ended } = history()
  await writeBids(placed, 1)
  await writeEnds(ended)
  await writeMoreItems()
  const { asked, breaking } = watched(source, (message) => {
    if (message === 5) throw lost
  })
  await rebuild(options({ bids: breaking }))
  expect(await stored()).toEqual(recomputedProjections(placed, ended))
  const [first, second, ...more] = asked
  expect([first, second]).toEqual(['', ''])
  // Each break a hundred items further, and no question asked twice.
  expect(more.length).toBeGreaterThan(0)
  expect(more).toEqual([...new Set(more)].filter(Boolean).toSorted())
})

it.each([
  ['at the first hundred', 1],
  // Two messages make a hundred items complete.
  ['later', 3],
])('one that gets no further, %s, ends with the reason', async (_, firstBreak) => {
  await writeBids(history().placed.slice(0, 30), 1)
  await writeMoreItems()
  const { asked, breaking } = watched(source, (message, afterItemId) => {
    if (message === (afterItemId === '' ? firstBreak : 1)) throw lost
  })
  await expect(rebuild(options({ bids: breaking }))).rejects.toThrow(
    'the bid service stopped telling: [unavailable] the connection was lost',
  )
  // To see that there is one, the first, and ten that brought nothing more.
  expect(asked).toHaveLength(12)
})

/** A component on a port of its own, and a proxy before it. */
async function serve(component: Component): Promise<TcpProxy> {
  const server = await startTestServer([{ ...component, stop: async () => undefined }])
  const proxy = await startTcpProxy(server.url)
  cleanups.push(server.stop, proxy.close)
  return proxy
}

it('whoever comes while four others read all is told so, and nothing is thrown away', async () => {
  await writeItems(history().placed)
  // More than sockets hold, so that the others are not done.
  await bids.sql`
    INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
    SELECT id, n, gen_random_uuid(), 'ann', n, now() FROM items, generate_series(1, 4000) AS n`
  const bid = testBid()
  await projectEvents(stats.session, [bidEvent(bid)])
  const { url } = await serve(bidService)
  const others = Array.from({ length: 4 }, () =>
    callAt(url).streamItems({})[Symbol.asyncIterator](),
  )
  await Promise.all(others.map((other) => other.next()))
  await expect(rebuild(options({ bids: callAt(url) }))).rejects.toThrow('four at most')
  expect(await stored()).toEqual(recomputedProjections([bid], []))
})

it.each([
  ['cut', 0],
  // Found out by its silence: it is asked whether it lives after a second, and given another to answer.
  ['swallow', 1_900],
] as const)('over a connection that is lost in the middle: %s', async (how, leastMs) => {
  const { placed, ended } = history()
  await writeBids(placed, 1)
  await writeEnds(ended)
  const applied = Promise.withResolvers<void>()
  // Halts once there is enough for a chunk, until that has been applied.
  const { asked, breaking } = watched(source, async (message) => {
    if (message !== 3 || asked.length > 2) return
    await applied.promise
    proxy[how]()
  })
  const proxy = await serve({
    ...bidService,
    routes: (router) =>
      router.service(BidService, {
        streamItems: (request, { signal }) => breaking.streamItems(request, { signal }),
      }),
  })
  const startMs = performance.now()
  await rebuild(options({ bids: callAt(proxy.url), onProgress: () => applied.resolve() }))
  expect(performance.now() - startMs).toBeGreaterThan(leastMs)
  expect(await stored()).toEqual(recomputedProjections(placed, ended))
  expect(asked).toEqual(['', '', ''])
})
