/**
 * What two bid processes that know nothing of each other must get right together, seen by clients only:
 * a crowd on one item, the end of an auction, retries with one key, statistics, one trace through all.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { checkInvariants } from '@bidmesh/invariants/check-invariants.ts'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { gatherCrowd } from './faults/bidding-crowd.ts'
import { callJson } from './call-json.ts'
import { startPrivateStack, type PrivateStack } from './private-stack.ts'
import { startTraceCollector, type TraceCollector } from './trace-collector.ts'

type Item = {
  id: string
  status: string
  sequence: string
  currentHighestBid: string
  highestBidderId: string
  winnerId?: string
  endAt: string
}

let running: PrivateStack
let collector: TraceCollector
/** Of all tests: the invariants are those of the whole database. */
const ledger: LedgerEntry[] = []

beforeAll(async () => {
  collector = await startTraceCollector()
  running = await startPrivateStack(collector.env)
})
afterAll(async () => {
  await running?.stop()
  await collector?.stop()
})

async function createItem(lifeMs: number): Promise<string> {
  const { item } = await callJson<{ item: Item }>(
    running.stack.bid[0]?.url ?? '',
    'bids.v1.BidService/CreateItem',
    {
      title: 'Lamp',
      sellerId: 'seller',
      startPrice: 100,
      minIncrement: 1,
      endAt: new Date(Date.now() + lifeMs).toISOString(),
      softClose: { maxExtensions: 0 },
    },
  )
  return item.id
}

/** The item as each bid process answers. */
async function seenBy(id: string): Promise<Item[]> {
  const answers = running.stack.bid.map(({ url }) =>
    callJson<{ item: Item }>(url, 'bids.v1.BidService/GetItem', { id }),
  )
  return (await Promise.all(answers)).map(({ item }) => item)
}

type Stats = { totalBids: string; totalAmount: string; highestBid: string; itemsWon: string }

async function userStats(userId: string): Promise<Stats> {
  const { stats } = await callJson<{ stats: Stats }>(
    running.stack.stats[0]?.url ?? '',
    'userstats.v1.UserStatsService/GetUserStats',
    { userId },
  )
  return stats
}

async function violations() {
  const { bidSql, statsSql } = running
  return await checkInvariants({ bidSql, statsSql, ledger, fullHistory: true })
}

it('200 bidders race the end of one item: one winner, none too late, statistics agree', async () => {
  const itemId = await createItem(2_500)
  const urls = running.stack.bid.map(({ url }) => url)
  const crowd = gatherCrowd({ urls, itemIds: [itemId], bidders: 200, startPrice: 100 })
  // By then every bidder has gone on bidding after the end.
  await eventually(() => expect(crowd.refused.get('ended')).toBeGreaterThanOrEqual(400))
  await crowd.leave()
  expect(crowd.surprises).toEqual([])
  ledger.push(...crowd.ledger)

  const bids = [...new Map(crowd.ledger.map((entry) => [entry.bidId, entry])).values()]
  const last = bids.toSorted((a, b) => Number(a.sequence - b.sequence)).at(-1)
  await eventually(async () => {
    const seen = await seenBy(itemId)
    expect(seen[1]).toEqual(seen[0])
    expect(seen[0]).toMatchObject({
      status: 'ITEM_STATUS_ENDED',
      sequence: String(bids.length),
      currentHighestBid: String(last?.amount),
      winnerId: last?.userId,
    })
  })
  const late = await running.bidSql`
    SELECT b.id FROM bids b JOIN items i ON i.id = b.item_id WHERE b.created_at >= i.end_at`
  expect(late).toEqual([])

  await eventually(async () => expect(await violations()).toEqual([]))
  for (const [userId, own] of Map.groupBy(bids, (bid) => bid.userId)) {
    const amounts = own.map(({ amount }) => amount)
    expect(await userStats(userId)).toMatchObject({
      totalBids: String(own.length),
      totalAmount: String(amounts.reduce((sum, amount) => sum + amount)),
      highestBid: String(amounts.toSorted((a, b) => Number(a - b)).at(-1)),
      itemsWon: userId === last?.userId ? '1' : '0',
    })
  }
})

it('50 calls at once with one idempotency key over both processes place one bid', async () => {
  const itemId = await createItem(86_400_000)
  const request = { itemId, userId: 'ann', amount: 250, idempotencyKey: randomUUID() }
  const calls = Array.from({ length: 50 }, async (_, call) => {
    const url = running.stack.bid[call % 2]?.url ?? ''
    const { bid } = await callJson<{ bid: { id: string; sequence: string } }>(
      url,
      'bids.v1.BidService/PlaceBid',
      request,
    )
    return bid
  })
  const [bid, ...others] = await Promise.all(calls)
  expect(others).toEqual(Array.from({ length: 49 }, () => bid))
  ledger.push({
    bidId: bid?.id ?? '',
    itemId,
    userId: 'ann',
    amount: 250n,
    sequence: 1n,
  })
  const stored = await running.bidSql`SELECT id, sequence FROM bids WHERE item_id = ${itemId}`
  expect(stored).toEqual([{ id: bid?.id, sequence: 1n }])
  await eventually(async () => expect(await violations()).toEqual([]))
  expect(await userStats('ann')).toMatchObject({ totalBids: '1', totalAmount: '250' })
})

it('one trace goes from the call through the relay to the statistics', async () => {
  const itemId = await createItem(86_400_000)
  const traceId = randomBytes(16).toString('hex')
  const { bid } = await callJson<{ bid: { id: string } }>(
    running.stack.bid[1]?.url ?? '',
    'bids.v1.BidService/PlaceBid',
    { itemId, userId: 'bea', amount: 100 },
    { traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` },
  )
  ledger.push({ bidId: bid.id, itemId, userId: 'bea', amount: 100n, sequence: 1n })
  await eventually(() => {
    const spans = collector.spans().filter((span) => span.traceId === traceId)
    const names = spans.map(({ service, name }) => `${service}: ${name}`)
    expect(names).toEqual(
      expect.arrayContaining([
        'bidmesh-bid: bids.v1.BidService/PlaceBid',
        'bidmesh-bid: commit batch',
        'bidmesh-outbox-worker: send bid.placed',
        'bidmesh-stats: process bid.placed',
      ]),
    )
    const spanOf = (part: string) => spans.find(({ service }) => service === `bidmesh-${part}`)
    expect(spanOf('stats')?.parentSpanId).toBe(spanOf('outbox-worker')?.spanId)
  })
})
