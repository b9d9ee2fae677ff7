/** Bids on a real Postgres: what concurrency, clocks and locks may not break. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuctionState, defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import { decide } from '@bidmesh/auction/decide.ts'
import { evolve } from '@bidmesh/auction/evolve.ts'
import { fromBinary } from '@bufbuild/protobuf'
import { BidPlacedSchema, ItemOpenedSchema } from '@bidmesh/gen/events/v1/events_pb.ts'
import { openSessionPool, type Session } from '@bidmesh/platform/postgres/session.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrationsDirectory } from './bid-component.ts'
import { closeItems } from './close-items.ts'
import type { BidEntry, BidOutcome } from './decide-batch.ts'
import { type ItemRow, stateFromRow } from './item-row.ts'
import { HeldTooLongError } from './lane-entry.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { createBidMetrics } from './metrics.ts'
import { bidOn, putItem } from './test-item.ts'

const invalidate = async () => undefined
const never = new AbortController().signal

let database: TestDatabase
let session: Session
/** Two sets of lanes share nothing but the database, as two processes do. */
let processes: [Lanes, Lanes]

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  session = openSessionPool(database.url, { max: 4, applicationName: 'test' })
  const metrics = createBidMetrics()
  const wakeRelay = () => undefined
  const options = { databaseUrl: database.url, lanes: 4, invalidate, wakeRelay, metrics }
  processes = [createLanes(options), createLanes(options)]
})

afterAll(async () => {
  await Promise.all(processes.map((lanes) => lanes.stop()))
  await session.close()
  await database.drop()
})

async function place(entry: BidEntry, process: 0 | 1 = 0): Promise<BidOutcome> {
  return await processes[process].place(entry, never)
}

async function storedBids(itemId: string) {
  return await database.sql<
    { id: string; user_id: string; amount: bigint; sequence: bigint; created_at: Date }[]
  >`SELECT * FROM bids WHERE item_id = ${itemId} ORDER BY sequence`
}

async function storedItem(itemId: string): Promise<ItemRow> {
  const [row] = await database.sql<ItemRow[]>`SELECT * FROM items WHERE id = ${itemId}`
  if (!row) throw new Error('no such item')
  return row
}

/** I1–I3 for one item, against what its bidders were told. */
async function expectInvariants(itemId: string, acknowledged: readonly BidOutcome[]) {
  const bids = await storedBids(itemId)
  const row = await storedItem(itemId)
  expect(bids.map((bid) => bid.sequence)).toEqual(bids.map((_, n) => BigInt(n + 1)))
  for (const [n, bid] of bids.entries()) {
    if (n > 0) expect(bid.amount).toBeGreaterThan(bids[n - 1]?.amount ?? 0n)
    expect(bid.created_at.getTime()).toBeLessThan(row.end_at.getTime())
  }
  const ids = acknowledged.flatMap((outcome) =>
    outcome.kind === 'accepted' ? [outcome.bid.id] : [],
  )
  expect(bids.map((bid) => bid.id).toSorted()).toEqual(ids.toSorted())

  let state: AuctionState = {
    ...stateFromRow(row),
    status: 'active',
    currentHighestBid: 0n,
    highestBidderId: '',
    sequence: 0n,
    extensionCount: 0,
    endAtMs: row.original_end_at.getTime(),
  }
  for (const bid of bids) {
    const command = { kind: 'place_bid', userId: bid.user_id, amount: bid.amount } as const
    const { events } = decide(state, command, bid.created_at.getTime())
    if (!events) throw new Error(`stored bid ${bid.sequence} breaks a rule`)
    state = events.reduce(evolve, state)
  }
  expect(row).toMatchObject({
    current_highest_bid: state.currentHighestBid,
    highest_bidder_id: state.highestBidderId,
    sequence: state.sequence,
    extension_count: state.extensionCount,
  })
  expect(row.end_at.getTime()).toBe(state.endAtMs)
}

describe('one item, 200 bidders, two processes', () => {
  it('keeps the invariants and loses no acknowledged bid', async () => {
    const { itemId } = await putItem(session)
    const outcomes: BidOutcome[] = []
    const bidder = async (n: number) => {
      let amount = 100n
      for (let round = 0; round < 5; round += 1) {
        const entry = bidOn(itemId, { userId: `user-${n}`, amount })
        const outcome = await place(entry, n % 2 === 0 ? 0 : 1)
        outcomes.push(outcome)
        if (outcome.kind === 'rejected') expect(outcome.rejection).toBe('too_low')
        amount = (outcome.state?.currentHighestBid ?? amount) + BigInt(1 + (n % 3))
      }
    }
    await Promise.all(Array.from({ length: 200 }, (_, n) => bidder(n)))
    expect(outcomes).toHaveLength(1_000)
    await expectInvariants(itemId, outcomes)
  })

  it('lets exactly one of many equal bids win', async () => {
    const { itemId } = await putItem(session)
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        place(bidOn(itemId, { userId: `user-${n}`, amount: 500n }), n % 2 === 0 ? 0 : 1),
      ),
    )
    expect(outcomes.filter((outcome) => outcome.kind === 'accepted')).toHaveLength(1)
    await expectInvariants(itemId, outcomes)
  })
})

describe('an idempotency key', () => {
  it('makes one bid of 50 parallel calls over two processes', async () => {
    const { itemId } = await putItem(session)
    const entry = bidOn(itemId, { amount: 100n, idempotencyKey: 'retry' })
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, n) => place(entry, n % 2 === 0 ? 0 : 1)),
    )
    const kinds = outcomes.map((outcome) => outcome.kind)
    expect(kinds.filter((kind) => kind === 'accepted')).toHaveLength(1)
    expect(kinds.filter((kind) => kind === 'repeated')).toHaveLength(49)
    const ids = new Set(outcomes.map((outcome) => outcome.kind !== 'rejected' && outcome.bid.id))
    expect(ids.size).toBe(1)
    await expectInvariants(itemId, outcomes)
  })

  it('answers with its bid after that was outbid, and rejects other contents', async () => {
    const { itemId } = await putItem(session)
    const other = await putItem(session)
    const entry = bidOn(itemId, { amount: 100n, idempotencyKey: 'k' })
    const first = await place(entry)
    await place(bidOn(itemId, { userId: 'bob', amount: 300n }))
    const again = await place(entry, 1)
    expect(again).toMatchObject({ kind: 'repeated', state: { currentHighestBid: 300n } })
    expect(again.kind !== 'rejected' && again.bid).toMatchObject(
      first.kind === 'accepted' ? { id: first.bid.id, sequence: 1n } : {},
    )
    for (const changed of [
      { ...entry, command: { ...entry.command, amount: 400n } },
      { ...entry, itemId: other.itemId },
    ]) {
      expect(await place(changed, 1)).toMatchObject({ kind: 'rejected', rejection: 'key_reused' })
    }
  })

  it('is unique per bidder over all items at once', async () => {
    const items = await Promise.all(Array.from({ length: 20 }, () => putItem(session)))
    const outcomes = await Promise.all(
      items.map(({ itemId }, n) =>
        place(
          bidOn(itemId, { amount: 100n, userId: 'eve', idempotencyKey: 'x' }),
          n % 2 === 0 ? 0 : 1,
        ),
      ),
    )
    const rejected = outcomes.filter((outcome) => outcome.kind === 'rejected')
    expect(rejected).toHaveLength(19)
    for (const outcome of rejected) expect(outcome).toMatchObject({ rejection: 'key_reused' })
  })
})

describe('the end', () => {
  it('admits no bid decided after it, and closes once with the last winner', async () => {
    const endAtMs = Date.now() + 700
    const { itemId } = await putItem(session, { endAtMs })
    const outcomes: BidOutcome[] = []
    const bidder = async (n: number) => {
      let amount = 100n
      for (;;) {
        const outcome = await place(
          bidOn(itemId, { userId: `user-${n}`, amount }),
          n % 2 === 0 ? 0 : 1,
        )
        outcomes.push(outcome)
        if (outcome.kind === 'rejected' && outcome.rejection === 'ended') return
        amount = (outcome.state?.currentHighestBid ?? amount) + 1n
      }
    }
    await Promise.all(Array.from({ length: 40 }, (_, n) => bidder(n)))
    const closed = await Promise.all([1, 2, 3].map(() => closeItems(session, invalidate)))
    expect(closed.reduce((sum, count) => sum + count, 0)).toBe(1)
    await expectInvariants(itemId, outcomes)

    const row = await storedItem(itemId)
    const last = (await storedBids(itemId)).at(-1)
    expect(row).toMatchObject({
      status: 'ended',
      outcome: 'sold',
      highest_bidder_id: last?.user_id,
    })
    const ended = await database.sql`
      SELECT 1 FROM outbox WHERE item_id = ${itemId} AND type = 'item.ended'`
    expect(ended).toHaveLength(1)
  })

  it('rejects a bid that came in time but waited for the lock until after it', async () => {
    const { itemId } = await putItem(session, { endAtMs: Date.now() + 400 })
    let waiting: Promise<BidOutcome> | undefined
    await inTransaction(database.url, async (tx) => {
      await tx`SELECT 1 FROM items WHERE id = ${itemId} FOR UPDATE`
      waiting = place(bidOn(itemId, { amount: 100n }))
      await sleep(600)
    })
    expect(await waiting).toMatchObject({ kind: 'rejected', rejection: 'ended' })
    expect(await storedBids(itemId)).toEqual([])
  })

  it('is moved by a bid in the soft-close window', async () => {
    const softClose = {
      ...defaultSoftClose,
      windowMs: 60_000,
      extensionMs: 60_000,
      maxExtensions: 1,
    }
    const endAtMs = Date.now() + 30_000
    const { itemId } = await putItem(session, { endAtMs, softClose })
    const first = await place(bidOn(itemId, { amount: 100n }))
    const second = await place(bidOn(itemId, { amount: 200n }))
    expect(first).toMatchObject({ extended: true, state: { endAtMs: endAtMs + 60_000 } })
    expect(second).toMatchObject({ extended: false, state: { endAtMs: endAtMs + 60_000 } })
    await expectInvariants(itemId, [first, second])
  })
})

describe('a lock held by somebody else', () => {
  it('fails only the bids on that item, as contention', async () => {
    const held = await putItem(session)
    // Same lane: the digits that choose it are the same in a process of one lane.
    const lanes = createLanes({
      databaseUrl: database.url,
      lanes: 1,
      invalidate,
      wakeRelay: () => undefined,
      metrics: createBidMetrics(),
      maxHeldMs: 300,
    })
    const free = await putItem(session)
    await inTransaction(database.url, async (tx) => {
      await tx`SELECT 1 FROM items WHERE id = ${held.itemId} FOR UPDATE`
      const outcomes = await Promise.all([
        lanes.place(bidOn(held.itemId, { amount: 100n }), never).catch((error: unknown) => error),
        lanes.place(bidOn(free.itemId, { amount: 100n }), never),
      ])
      expect(outcomes[0]).toBeInstanceOf(HeldTooLongError)
      expect(outcomes[1]).toMatchObject({ kind: 'accepted' })
    })
    await lanes.stop()
  })
})

describe('an item held by somebody else', () => {
  it('holds up no stranger in its lane, and its bids are decided in order once it is free', async () => {
    const lanes = createLanes({
      databaseUrl: database.url,
      lanes: 1,
      invalidate,
      wakeRelay: () => undefined,
      metrics: createBidMetrics(),
    })
    const held = await putItem(session)
    const free = await putItem(session)
    const bidOnHeld = (n: number) =>
      lanes.place(bidOn(held.itemId, { userId: `user-${n}`, amount: 100n + BigInt(n) }), never)
    let decided = 0
    let waiting: Promise<BidOutcome[]> = Promise.resolve([])
    await inTransaction(database.url, async (tx) => {
      await tx`SELECT 1 FROM items WHERE id = ${held.itemId} FOR UPDATE`
      const early = Array.from({ length: 30 }, (_, n) => bidOnHeld(n))
      for (let n = 0; n < 50; n += 1) {
        const outcome = await lanes.place(bidOn(free.itemId, { amount: 100n + BigInt(n) }), never)
        expect(outcome.kind).toBe('accepted')
      }
      waiting = Promise.all([...early, ...Array.from({ length: 30 }, (_, n) => bidOnHeld(30 + n))])
      void waiting.then(() => (decided += 1))
      await lanes.place(bidOn(free.itemId, { amount: 1_000n }), never)
      expect(decided).toBe(0)
    })
    const outcomes = await waiting
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(outcomes.map(() => 'accepted'))
    await expectInvariants(held.itemId, outcomes)
    const users = (await storedBids(held.itemId)).map((bid) => bid.user_id)
    expect(users).toEqual(outcomes.map((_, n) => `user-${n}`))
    await lanes.stop()
  })
})

describe('the outbox', () => {
  it('holds an event per accepted bid, in the order of the bids, and none for a rejected one', async () => {
    const { itemId } = await putItem(session, { startAtMs: Date.now() + 50 })
    expect(await place(bidOn(itemId, { amount: 100n }))).toMatchObject({ rejection: 'not_started' })
    await sleep(80)
    await Promise.all([100n, 50n, 101n, 102n].map((amount) => place(bidOn(itemId, { amount }))))
    const rows = await database.sql<{ id: string; type: string; payload: Buffer }[]>`
      SELECT id, type, payload FROM outbox WHERE item_id = ${itemId} ORDER BY seq`
    expect(rows.map((row) => row.type)).toEqual([
      'item.created',
      'item.opened',
      'bid.placed',
      'bid.placed',
      'bid.placed',
    ])
    const events = rows.slice(2).map((row) => fromBinary(BidPlacedSchema, row.payload))
    const opened = rows.slice(1, 2).map((row) => fromBinary(ItemOpenedSchema, row.payload))
    expect([...opened, ...events].map((event) => event.version)).toEqual([2n, 3n, 4n, 5n])
    expect(events.map((event) => event.sequence)).toEqual([1n, 2n, 3n])
    expect(events.map((event) => event.previousHighestBid)).toEqual([0n, 100n, 101n])
    const bids = await storedBids(itemId)
    expect(rows.slice(2).map((row) => row.id)).toEqual(bids.map((bid) => bid.id))
  })
})

describe('a lost connection', () => {
  it('fails the batch as unavailable, writes nothing of it, and the lane goes on', async () => {
    const { itemId } = await putItem(session)
    let waiting: Promise<unknown> | undefined
    await inTransaction(database.url, async (tx) => {
      await tx`SELECT 1 FROM items WHERE id = ${itemId} FOR UPDATE`
      waiting = place(bidOn(itemId, { amount: 100n })).catch((error: unknown) => error)
      // It waits for the lock only for a moment; after that it looks.
      await eventually(
        async () => {
          // Not in the transaction: what it sees of others' waits stays as it was at its first look.
          const ended = await database.sql`
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'bidmesh bid lane' AND datname = current_database()
              AND wait_event_type = 'Lock'`
          return ended.length > 0
        },
        { intervalMs: 2 },
      )
    })
    expect(await waiting).toBeInstanceOf(Error)
    expect(await storedBids(itemId)).toEqual([])
    expect(await place(bidOn(itemId, { amount: 100n }))).toMatchObject({ kind: 'accepted' })
  })
})
