/** The checker has to find every kind of damage, and nothing where there is none. */
import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuctionState, defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import { closeItems } from '@bidmesh/bid/close-items.ts'
import { migrationsDirectory } from '@bidmesh/bid/bid-component.ts'
import { stateColumns, stateFromRow, type StateRow } from '@bidmesh/bid/item-row.ts'
import { executeBatch } from '@bidmesh/bid/execute-batch.ts'
import { bidOn, putItem } from '@bidmesh/bid/test-item.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { openSession, type Session } from '@bidmesh/platform/postgres/session.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { projectedTypes } from '@bidmesh/stats/facts.ts'
import { projectEvents } from '@bidmesh/stats/project-events.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkInvariants } from '@bidmesh/invariants/check-invariants.ts'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { untilDrained } from '@bidmesh/invariants/until-drained.ts'

let bids: TestDatabase
let stats: TestDatabase
let session: Session
let itemId: string
let ledger: LedgerEntry[]

const softClose = {
  ...defaultSoftClose,
  windowMs: 7_200_000,
  extensionMs: 7_200_000,
  maxExtensions: 2,
}

beforeEach(async () => {
  bids = await createTestDatabase(migrationsDirectory)
  stats = await createTestDatabase('services/stats/migrations')
  session = openSession(bids.url, { applicationName: 'test' })
  ledger = []
  itemId = (await putItem(session, { softClose })).itemId
  for (const [userId, amount] of [
    ['ann', 100n],
    ['bob', 150n],
    ['ann', 170n],
    ['cy', 200n],
  ] as const) {
    await bid(userId, amount)
  }
})

afterEach(async () => {
  await session.close()
  await bids.drop()
  await stats.drop()
})

async function bid(userId: string, amount: bigint): Promise<void> {
  const entry = bidOn(itemId, { userId, amount })
  const [outcome] = await executeBatch(session, [entry], { invalidate: async () => undefined })
  if (typeof outcome !== 'object' || outcome.kind !== 'accepted') throw new Error('not accepted')
  const { id, sequence } = outcome.bid
  ledger.push({ bidId: id, itemId, userId, amount, sequence })
}

async function stateOf(id: string): Promise<AuctionState> {
  const [row] = await bids.sql<StateRow[]>`
    SELECT ${bids.sql([...stateColumns])} FROM items WHERE id = ${id}`
  if (!row) throw new Error('no such item')
  return stateFromRow(row)
}

/** Relay and consumer in one: takes the outbox as it is to the projections. */
async function relay(): Promise<void> {
  const rows = await bids.sql<OutboxRow[]>`DELETE FROM outbox RETURNING *`
  const projected = rows.filter(({ type }) => projectedTypes.some((each) => each === type))
  await projectEvents(
    stats.session,
    projected.map((row) => ({
      ...row,
      key: row.item_id,
      headers: {},
      occurredAt: row.occurred_at,
      redelivered: false,
    })),
  )
}

type OutboxRow = { id: string; type: string; item_id: string; payload: Buffer; occurred_at: Date }

async function violated(statsSql?: Sql): Promise<string[]> {
  const found = await checkInvariants({ bidSql: bids.sql, statsSql, ledger, fullHistory: true })
  return [...new Set(found.map(({ invariant }) => invariant))].toSorted()
}

it('looks at the items it is asked for', async () => {
  const other = await putItem(session)
  await bids.sql`UPDATE bids SET amount = amount + 1 WHERE sequence = 2`
  await bids.sql`UPDATE item_events SET type = 'bid.lost' WHERE version = 3`
  const found = async (items: string[]) => {
    const options = { bidSql: bids.sql, ledger: [], items, fullHistory: true }
    return (await checkInvariants(options)).map(({ invariant }) => invariant)
  }
  expect(await found([other.itemId])).toEqual([])
  expect(await found([itemId, other.itemId])).toEqual(['I7'])
  await bids.sql`DELETE FROM bids WHERE sequence = 2`
  expect(await found([itemId])).toEqual(['I2', 'I7'])
})

describe('the write side', () => {
  it('finds nothing after a sound run, extensions of the end included', async () => {
    expect(await violated()).toEqual([])
  })

  it('finds nothing on an ended item, and a wrong outcome when there is one', async () => {
    const past = new Date(Date.now() - 60_000)
    const started = new Date(Date.now() - 120_000)
    const item = await putItem(session)
    await bids.sql`
      UPDATE items SET start_at = ${started}, original_end_at = ${past}, end_at = ${past}
      WHERE id = ${item.itemId}`
    await closeItems(session, async () => undefined)
    await relay()
    expect(await violated(stats.sql)).toEqual([])
    await bids.sql`UPDATE items SET outcome = 'sold' WHERE id = ${item.itemId}`
    expect(await violated()).toEqual(['I3'])
  })

  it('finds nothing on items that were extended and ended early, and bids that came after', async () => {
    const by = { userId: 'seller', operator: false }
    const { itemId: extended, endAtMs } = await putItem(session, { softClose })
    const later = { kind: 'extend' as const, by, endAtMs: endAtMs + 60_000, reason: '' }
    const none = { idempotencyKey: '', trace: {}, origin: noOrigin }
    const outcomes = await executeBatch(
      session,
      [
        { itemId: extended, command: later, ...none },
        bidOn(extended, { amount: 100n }),
        { itemId, command: { kind: 'end_now', by }, ...none },
      ],
      { invalidate: async () => undefined },
    )
    expect(outcomes).toMatchObject([{ kind: 'changed' }, { kind: 'accepted' }, { kind: 'changed' }])
    await relay()
    expect(await violated(stats.sql)).toEqual([])
    await bids.sql`UPDATE items SET end_at = end_at - interval '1 hour' WHERE id = ${itemId}`
    expect(await violated()).toEqual(['I3'])
  })

  it('finds nothing on an item whose end an operator moved after bids had', async () => {
    const before = await stateOf(itemId)
    expect(before.endAtMs).toBeGreaterThan(before.originalEndAtMs)
    const by = { userId: 'olga', operator: true }
    // Within reach of the window, so that the bid after it moves the end once more or not at all.
    const later = { kind: 'extend' as const, by, endAtMs: before.endAtMs + 60_000, reason: '' }
    const [changed] = await executeBatch(
      session,
      [{ itemId, command: later, idempotencyKey: '', trace: {}, origin: noOrigin }],
      { invalidate: async () => undefined },
    )
    expect(changed).toMatchObject({ kind: 'changed' })
    await bid('dan', 300n)
    await relay()
    expect(await violated(stats.sql)).toEqual([])
    await bids.sql`UPDATE items SET end_at = end_at + interval '1 s' WHERE id = ${itemId}`
    expect(await violated()).toEqual(['I3'])
  })

  it('takes the same acknowledgement twice, as a retry gives it', async () => {
    ledger.push(...ledger)
    expect(await violated()).toEqual([])
  })

  it('finds an acknowledged bid that is gone', async () => {
    await bids.sql`DELETE FROM bids WHERE sequence = 4`
    expect(await violated()).toEqual(['I1', 'I3'])
  })

  it('finds an acknowledged bid that is stored otherwise', async () => {
    await bids.sql`UPDATE bids SET user_id = 'bob' WHERE sequence = 1`
    expect(await violated()).toEqual(['I1'])
  })

  it('finds a bid stored twice', async () => {
    const [last] = ledger.slice(-1)
    await bids.sql`
      INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
      SELECT item_id, 5, id, user_id, 300, created_at FROM bids WHERE id = ${last?.bidId ?? ''}`
    expect(await violated()).toEqual(['I1', 'I3'])
  })

  it('finds a gap in the sequence', async () => {
    ledger = []
    await bids.sql`UPDATE bids SET sequence = 9 WHERE sequence = 4`
    await bids.sql`UPDATE items SET sequence = 9`
    expect(await violated()).toEqual(['I2'])
  })

  it('finds amounts that do not rise', async () => {
    ledger = []
    await bids.sql`UPDATE bids SET amount = 150 WHERE sequence = 3`
    expect(await violated()).toEqual(['I2', 'I3'])
  })

  it('finds a bid that the rules would have refused', async () => {
    await bids.sql`UPDATE bids SET created_at = created_at + interval '1 day' WHERE sequence = 4`
    expect(await violated()).toEqual(['I3'])
  })

  it.each([
    ['winner', `highest_bidder_id = 'bob'`],
    ['price', 'current_highest_bid = 201'],
    ['end', `end_at = end_at + interval '1 second'`],
    ['extensions', 'extension_count = 2'],
  ])('finds a head with a wrong %s', async (_, change) => {
    await bids.sql.unsafe(`UPDATE items SET ${change}`)
    expect(await violated()).toEqual(['I3'])
  })
})

describe('the events', () => {
  it('finds nothing when a bid has opened a scheduled item', async () => {
    itemId = (await putItem(session, { startAtMs: Date.now() + 20 })).itemId
    await eventually(() => bid('ann', 100n))
    await bid('bob', 150n)
    const [item] = await bids.sql`SELECT version FROM items WHERE id = ${itemId}`
    expect(item).toEqual({ version: 4n })
    await relay()
    expect(await violated()).toEqual([])
  })

  it.each([
    ['a hole', `DELETE FROM item_events WHERE version = 3`],
    ['no last event', `DELETE FROM item_events WHERE version = 5`],
    ['no event', `DELETE FROM item_events`],
    [
      'another amount',
      `UPDATE item_events SET payload = overlay(payload PLACING '\\x01' FROM 90) WHERE version = 2`,
    ],
    ['a version without an event', `UPDATE items SET version = 6`],
  ])('finds %s', async (_, damage) => {
    await bids.sql.unsafe(damage)
    expect(await violated()).toEqual(['I7'])
  })
})

describe('the read side', () => {
  beforeEach(async () => {
    await bids.sql`
      WITH soon AS (SELECT date_trunc('milliseconds', clock_timestamp()) + interval '1 ms' AS t)
      UPDATE items SET end_at = t, original_end_at = t, extension_count = 0,
        soft_close_max_extensions = 0
      FROM soon`
    while ((await closeItems(session, async () => undefined)) === 0);
    await relay()
  })

  it('finds nothing after a sound run, a sold item included', async () => {
    expect(await violated(stats.sql)).toEqual([])
  })

  it('is waited for until it has the last event, an end', async () => {
    const [late] = await stats.sql`
      DELETE FROM inbox_events WHERE event_id <> ALL (${ledger.map(({ bidId }) => bidId)}::uuid[])
      RETURNING event_id, occurred_at`
    if (late === undefined) throw new Error('no item ended')
    const arrived = sleep(200).then(() => stats.sql`INSERT INTO inbox_events ${stats.sql(late)}`)
    await untilDrained(bids.sql, stats.sql, { info: () => undefined, warn: () => undefined })
    expect(await violated(stats.sql)).toEqual([])
    await arrived
  })

  it('finds an event that is still in the outbox', async () => {
    await putItem(session)
    expect(await violated(stats.sql)).toEqual(['I4'])
  })

  it('finds an event that never took effect', async () => {
    await stats.sql`DELETE FROM inbox_events WHERE event_id = ${ledger[0]?.bidId ?? ''}`
    expect(await violated(stats.sql)).toEqual(['I4'])
  })

  it('finds the effect of an event that never happened', async () => {
    await stats.sql`INSERT INTO inbox_events (event_id, occurred_at) VALUES (gen_random_uuid(), now())`
    expect(await violated(stats.sql)).toEqual(['I4'])
  })

  it.each([
    `UPDATE user_stats SET total_bids = total_bids + 1 WHERE user_id = 'bob'`,
    `UPDATE user_stats SET total_amount = 1 WHERE user_id = 'bob'`,
    `UPDATE user_amounts SET amount_won = 0`,
    `UPDATE user_amounts SET currency = 'EUR' WHERE user_id = 'bob'`,
    `UPDATE item_stats SET currency = 'EUR'`,
    `UPDATE user_stats SET first_bid_at = first_bid_at - interval '1 ms'`,
    `INSERT INTO user_stats (user_id, last_updated_at) VALUES ('nobody', now())`,
    `DELETE FROM user_stats WHERE user_id = 'cy'`,
    `UPDATE item_stats SET unique_bidders = 4`,
    `UPDATE item_stats SET winner_id = 'ann'`,
    `UPDATE user_items SET amount = amount + 1 WHERE user_id = 'ann'`,
    `UPDATE market_activity SET bids = bids + 1 WHERE user_id = 'ann'`,
    `UPDATE market_activity SET currency = 'EUR' WHERE user_id = 'ann'`,
    `INSERT INTO activity VALUES (now(), 'ann', 1, 1)`,
  ])('finds the damage of %s', async (damage) => {
    await stats.sql.unsafe(damage)
    expect(await violated(stats.sql)).toEqual(['I5'])
  })
})
