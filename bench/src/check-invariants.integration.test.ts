/** The checker has to find every kind of damage, and nothing where there is none. */
import { closeItems } from '@bidmesh/bid/close-items.ts'
import { migrationsDirectory } from '@bidmesh/bid/bid-part.ts'
import { placeBids } from '@bidmesh/bid/place-bids.ts'
import { putItem } from '@bidmesh/bid/test-item.ts'
import { openSession, type Session } from '@bidmesh/platform/session.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkInvariants } from './check-invariants.ts'
import type { LedgerEntry } from './ledger.ts'

let bids: TestDatabase
let session: Session
let itemId: string
let ledger: LedgerEntry[]

const softClose = { windowMs: 7_200_000, extensionMs: 60_000, maxExtensions: 2 }

beforeEach(async () => {
  bids = await createTestDatabase(migrationsDirectory)
  session = openSession(bids.url, { applicationName: 'test' })
  ledger = []
  itemId = (await putItem(bids.sql, { softClose })).itemId
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
})

async function bid(userId: string, amount: bigint): Promise<void> {
  const entry = { itemId, userId, amount, idempotencyKey: '', trace: {} }
  const [outcome] = await placeBids(session, [entry], async () => undefined)
  if (outcome?.kind !== 'accepted') throw new Error(`not accepted: ${outcome?.kind}`)
  const { id, sequence } = outcome.bid
  ledger.push({ bidId: id, itemId, userId, amount, sequence })
}

async function violated(): Promise<string[]> {
  const found = await checkInvariants({ bidSql: bids.sql, ledger })
  return [...new Set(found.map(({ invariant }) => invariant))].toSorted()
}

describe('the write side', () => {
  it('finds nothing after a sound run, extensions of the end included', async () => {
    expect(await violated()).toEqual([])
  })

  it('finds nothing on an ended item, and a wrong outcome when there is one', async () => {
    const past = new Date(Date.now() - 60_000)
    const started = new Date(Date.now() - 120_000)
    const item = await putItem(bids.sql)
    await bids.sql`
      UPDATE items SET start_at = ${started}, original_end_at = ${past}, end_at = ${past}
      WHERE id = ${item.itemId}`
    await closeItems(bids.sql, async () => undefined)
    expect(await violated()).toEqual([])
    await bids.sql`UPDATE items SET outcome = 'sold' WHERE id = ${item.itemId}`
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
    ['extensions', 'extension_count = 1'],
  ])('finds a head with a wrong %s', async (_, change) => {
    await bids.sql.unsafe(`UPDATE items SET ${change}`)
    expect(await violated()).toEqual(['I3'])
  })
})
