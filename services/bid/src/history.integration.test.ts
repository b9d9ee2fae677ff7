/** The history on a real Postgres: it has what was published, and nobody can change it unseen. */
import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Command } from '@bidmesh/auction/commands.ts'
import { eventTypes } from '@bidmesh/events/event-types.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrationsDirectory, startAuctioneerComponent } from './bid-component.ts'
import { closeItems, openItems } from './close-items.ts'
import { executeBatch } from './execute-batch.ts'
import { putItem } from './test-item.ts'
import { createOlderStore, migrateToPresent, putOlderItem } from './test-older-store.ts'
import { verifyHistory, type VerifyOptions } from './verify-history.ts'

const invalidate = async () => undefined
const by = { userId: 'seller', operator: true }

let database: TestDatabase
let sql: Sql

beforeEach(async () => {
  database = await createTestDatabase(migrationsDirectory)
  sql = database.sql
})
afterEach(async () => {
  await database.drop()
})

async function carryOut(itemId: string, ...commands: Command[]): Promise<void> {
  const entries = commands.map((command) => ({
    itemId,
    command,
    idempotencyKey: '',
    trace: {},
    origin: noOrigin,
  }))
  const outcomes = await executeBatch(database.session, entries, { invalidate })
  expect(outcomes.filter((each) => typeof each === 'symbol' || each.kind === 'rejected')).toEqual(
    [],
  )
}

const bid = (amount: bigint): Command => ({ kind: 'place_bid', userId: 'ann', amount })

/** Every way in which an item can come to events, each at least once. */
async function liveThrough(): Promise<void> {
  const session = database.session
  const soon = Date.now() + 1_000
  const [edited, early, late, idle, short] = [
    await putItem(session),
    await putItem(session, { startAtMs: soon }),
    await putItem(session, { startAtMs: soon }),
    await putItem(session),
    await putItem(session, { endAtMs: soon + 40 }),
  ]
  await carryOut(short.itemId, bid(100n))
  await carryOut(edited.itemId, { kind: 'edit', by, texts: { title: 'Lamps' } }, bid(100n))
  await carryOut(edited.itemId, bid(200n), { kind: 'cancel', by, reason: 'broken' })
  const endAtMs = Date.now() + 86_400_000
  await carryOut(idle.itemId, { kind: 'extend', by, endAtMs, reason: 'more time' })
  await carryOut(idle.itemId, { kind: 'cancel', by, reason: '' })
  await sleep(soon + 100 - Date.now())
  await carryOut(early.itemId, bid(100n), bid(150n))
  await openItems(session, invalidate)
  await closeItems(session, invalidate)
  const [lateItem] = await sql`SELECT status FROM items WHERE id = ${late.itemId}`
  expect(lateItem).toEqual({ status: 'active' })
}

async function findings(options?: VerifyOptions): Promise<string[]> {
  const found = await Array.fromAsync(verifyHistory(sql, options))
  return found.map(({ kind, message }) => `${kind}: ${message}`)
}

async function partitions(): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    SELECT inhrelid::regclass::text AS name FROM pg_inherits
    WHERE inhparent = 'item_events'::regclass ORDER BY 1`
  return rows.map(({ name }) => name)
}

it('has what the outbox got, of every kind, in the same order per item', async () => {
  await liveThrough()
  const events = await sql`
    SELECT item_id, version, id, type, payload FROM item_events ORDER BY item_id, version`
  const published = await sql`
    SELECT item_id, row_number() OVER (PARTITION BY item_id ORDER BY seq) AS version, id, type, payload
    FROM outbox ORDER BY item_id, seq`
  expect(events).toEqual(published)
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(eventTypes))
  expect(await findings()).toEqual([])
})

it('is told in full of one item, and of none that is not there', async () => {
  const { itemId } = await putItem(database.session)
  await putItem(database.session)
  await sql`DELETE FROM item_events WHERE item_id <> ${itemId}`
  expect(await findings({ itemId })).toEqual([])
  expect(await findings()).toHaveLength(1)
})

it('is read to its end, items of many snapshots', async () => {
  const items = await Promise.all(Array.from({ length: 410 }, () => putItem(database.session)))
  let read = {}
  expect(await findings({ onProgress: (each) => (read = { ...each }) })).toEqual([])
  expect(read).toEqual({ items: 410, events: 410 })
  const last =
    items
      .map(({ itemId }) => itemId)
      .toSorted()
      .at(-1) ?? ''
  await sql`DELETE FROM item_events WHERE item_id = ${last}`
  expect(await findings()).toHaveLength(1)
})

it('is verified by a command, whose exit code says how it went', async () => {
  const { itemId } = await putItem(database.session)
  const verify = async (...args: string[]) => {
    const main = path.join(import.meta.dirname, 'verify-history-main.ts')
    const env = { DATABASE_URL: database.url }
    const ran = promisify(execFile)(process.execPath, [main, ...args], { env })
    return await ran.catch((error: unknown) => error)
  }
  expect(await verify('--all')).toMatchObject({ stdout: 'read: 1 items, 1 events; broken: 0\n' })
  await sql`UPDATE item_events SET type = 'item.ended'`
  expect(await verify('--item', itemId)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(`^broken: item ${itemId}: [^]*broken: 1\n$`),
  })
  const other = itemId.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))
  expect(await verify('--item', other)).toMatchObject({ code: 1, stderr: 'no item has this id\n' })
})

describe('of an item with five events', () => {
  let itemId: string

  beforeEach(async () => {
    itemId = (await putItem(database.session)).itemId
    await putItem(database.session)
    await carryOut(itemId, bid(100n), bid(200n))
    await carryOut(itemId, bid(300n))
    await carryOut(itemId, { kind: 'cancel', by, reason: 'broken' })
  })

  it('finds nothing wrong', async () => {
    expect(await findings()).toEqual([])
  })

  it.each([
    ['a byte', `payload = set_byte(payload, 3, get_byte(payload, 3) # 1)`],
    ['the id', `id = gen_random_uuid()`],
    ['the type', `type = 'item.updated'`],
    ['the time', `recorded_at = recorded_at + interval '1 ms'`],
    ['the month', `recorded_at = recorded_at - interval '40 days'`],
    ['the hash', `hash = set_byte(hash, 0, get_byte(hash, 0) # 1)`],
  ])('finds a change of %s', async (_what, change) => {
    await sql.unsafe(`UPDATE item_events SET ${change} WHERE item_id = '${itemId}' AND version = 3`)
    expect((await findings())[0]).toMatch(/^broken: version 3 /)
  })

  it.each([
    ['the first', 1, 'broken: version 2 '],
    ['one between', 3, 'broken: version 4 '],
    ['the last', 5, 'broken: events up to version 5 were recorded, the history ends with 4'],
  ])('finds that %s is gone', async (_which, version, says) => {
    await sql`DELETE FROM item_events WHERE item_id = ${itemId} AND version = ${version}`
    expect((await findings())[0]).toContain(says)
  })

  it('finds that all are gone', async () => {
    await sql`DELETE FROM item_events WHERE item_id = ${itemId}`
    expect(await findings()).toEqual([
      'broken: events up to version 5 were recorded, the history is empty',
    ])
  })

  it('finds two that have changed places, hashes and all', async () => {
    const swap = (from: number, to: number) => sql`
      UPDATE item_events SET version = ${to} WHERE item_id = ${itemId} AND version = ${from}`
    await swap(2, 9)
    await swap(3, 2)
    await swap(9, 3)
    expect((await findings()).map((each) => each.slice(0, 17))).toEqual([
      'broken: version 2',
      'broken: version 3',
      'broken: version 4',
    ])
  })

  it('finds events of an item that is not there', async () => {
    await sql`DELETE FROM items WHERE id = ${itemId}`
    expect(await findings()).toEqual(['broken: there are events and no such item'])
  })

  it('tells versions made by code without history from events that are gone', async () => {
    await sql`UPDATE items SET version = version + 1 WHERE id = ${itemId}`
    expect(await findings()).toEqual(['gap: version 6 was made without history'])
    await sql`UPDATE items SET version = version + 1, status = 'active' WHERE id = ${itemId}`
    await carryOut(itemId, bid(400n))
    expect(await findings()).toEqual(['gap: versions 6 to 7 were made without history'])
  })

  it('accepts the end of what was kept when told of it', async () => {
    await sql`DELETE FROM item_events WHERE item_id = ${itemId} AND version < 4`
    expect(await findings()).toHaveLength(2)
    expect(await findings({ keptSince: new Date(Date.now() + 1_000) })).toEqual([])
    await sql`DELETE FROM item_events WHERE item_id = ${itemId}`
    expect(await findings({ keptSince: new Date(Date.now() + 1_000) })).toEqual([])
  })
})

it('has missing partitions made by the auctioneer', async () => {
  const all = await partitions()
  await sql`DROP TABLE ${sql(all.at(-1) ?? '')}`
  const auctioneer = await startAuctioneerComponent({
    databaseUrl: database.url,
    redisUrl: undefined,
    log: quietLog,
    signal: new AbortController().signal,
  })
  await eventually(async () => expect(await partitions()).toEqual(all))
  await auctioneer.stop()
})

it('gets further partitions beside transactions that never end, and bids do not wait for either', async () => {
  const { itemId } = await putItem(database.session)
  await sql`DROP TABLE ${sql((await partitions()).at(-1) ?? '')}`
  await inTransaction(database.url, async (forgotten) => {
    await forgotten`SELECT count(*) FROM item_events`
    await inTransaction(database.url, async (maker) => {
      expect(await maker`SELECT make_partitions() AS made`).toEqual([{ made: 1 }])
      await carryOut(itemId, bid(100n))
    })
  })
  expect(await findings()).toEqual([])
})

it('begins in an older store with the next event, and what there was stays', async () => {
  await database.drop()
  database = await createOlderStore('20261126235900')
  sql = database.sql
  const itemId = await putOlderItem(sql, 'Lamp')
  const kept = () => sql`SELECT id, amount FROM bids WHERE sequence = 1`
  const [bids, unsent] = [await kept(), await sql`SELECT * FROM outbox`]
  await migrateToPresent(database)
  expect(await findings()).toEqual(['gap: versions 1 to 2 were made without history'])
  await carryOut(itemId, bid(200n))
  expect(await findings()).toEqual(['gap: versions 1 to 2 were made without history'])
  expect(await sql`SELECT version FROM item_events`).toEqual([{ version: 3n }])
  expect(await kept()).toEqual(bids)
  expect(await sql`SELECT * FROM outbox ORDER BY seq LIMIT 1`).toEqual(unsent)
})
