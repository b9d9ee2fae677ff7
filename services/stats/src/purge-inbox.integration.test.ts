/** Which inbox rows are old enough to go: by the time of the event and by that of its arrival. */
import { randomUUID } from 'node:crypto'
import { failureKind } from '@bidmesh/platform/process/errors.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { projectEvents } from './project-events.ts'
import { purgeInbox, RETENTION_DAYS } from './purge-inbox.ts'
import { migrationsDirectory } from './stats-component.ts'
import { bidEvent, recomputedProjections, storedProjections, testBid } from './test-events.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase(migrationsDirectory)
})
afterEach(() => database.drop())

/** @param occurredHours ago @param receivedHours ago */
async function putInInbox(occurredHours: number, receivedHours: number): Promise<string> {
  const id = randomUUID()
  await database.sql`INSERT INTO inbox_events VALUES (${id},
    clock_timestamp() - make_interval(hours => ${occurredHours}),
    clock_timestamp() - make_interval(hours => ${receivedHours}))`
  return id
}

async function inbox(): Promise<string[]> {
  const rows = await database.sql<{ event_id: string }[]>`SELECT event_id FROM inbox_events`
  return rows.map((row) => row.event_id).toSorted()
}

const limitHours = RETENTION_DAYS * 24

it('a row goes when both its event and its arrival are a week old, and not before', async () => {
  await putInInbox(limitHours + 1, limitHours + 1)
  await putInInbox(limitHours * 50, limitHours + 1)
  const kept = [
    await putInInbox(limitHours - 1, limitHours - 1),
    // Arrived late: its repeats are still to come.
    await putInInbox(limitHours + 1, limitHours - 1),
    // By a clock that is ahead of this one.
    await putInInbox(limitHours - 1, limitHours + 1),
    await putInInbox(0, 0),
  ]
  expect(await purgeInbox(database.sql)).toEqual({ days: 0, rows: 2 })
  expect(await inbox()).toEqual(kept.toSorted())
  expect(await purgeInbox(database.sql)).toEqual({ days: 0, rows: 0 })
})

/** Days of the inbox that have a partition, as days from today. */
async function days(): Promise<number[]> {
  const rows = await database.sql<{ day: number }[]>`
    SELECT to_date(right(relname, 8), 'YYYYMMDD') - (clock_timestamp() AT TIME ZONE 'UTC')::date AS day
    FROM pg_class WHERE relkind = 'r' AND relname ~ '^inbox_[0-9]{8}$' ORDER BY 1`
  return rows.map(({ day }) => day)
}

/** @param first and last, as days from today */
async function makeDays(first: number, last: number): Promise<void> {
  await database.sql`
    SELECT make_inbox_days(today + ${first}::int, today + ${last}::int)
    FROM (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS today) AS clock`
}

async function dropLastDay(): Promise<void> {
  const [last] = await database.sql<{ name: string }[]>`
    SELECT max(relname) AS name FROM pg_class WHERE relkind = 'r' AND relname ~ '^inbox_[0-9]{8}$'`
  await database.sql`DROP TABLE ${database.sql(last?.name ?? '')}`
}

const fromTo = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n)

describe('days', () => {
  it('are there from yesterday for two weeks, old ones go and new ones come', async () => {
    expect(await days()).toEqual(fromTo(-1, 14))
    await makeDays(-12, -2)
    await dropLastDay()
    expect(await purgeInbox(database.sql)).toEqual({ days: 5, rows: 0 })
    expect(await days()).toEqual(fromTo(-7, 14))
  })

  it('go as a whole, once nothing in them arrived within a week', async () => {
    await makeDays(-12, -9)
    await putInInbox(24 * 10, 24 * 10)
    await putInInbox(24 * 11, 24 * 8)
    const late = await putInInbox(24 * 10, 24 * 6)
    expect(await purgeInbox(database.sql)).toEqual({ days: 3, rows: 0 })
    expect(await inbox()).toHaveLength(2)
    expect(await inbox()).toContain(late)
  })

  it('are looked after by a role that does not own them', async () => {
    const role = `"bidmesh ${randomUUID()}"`
    await makeDays(-10, -10)
    const purged = await inTransaction(database.url, async (tx) => {
      await tx.unsafe(`CREATE ROLE ${role}; SET ROLE ${role}`)
      const [row] = await tx`SELECT rotate_inbox() AS days`
      await tx.unsafe(`RESET ROLE; DROP ROLE ${role}`)
      return row
    })
    expect(purged).toEqual({ days: 1 })
  })

  it('of which the default partition has events already are left out', async () => {
    await dropLastDay()
    const ahead = await putInInbox(-24 * 14, 0)
    await purgeInbox(database.sql)
    expect(await days()).toEqual(fromTo(-1, 13))
    expect(await inbox()).toEqual([ahead])
  })

  it('hold up the version before, and not as if its event could never be stored', async () => {
    const error: unknown = await database.sql`
      INSERT INTO inbox (event_id, occurred_at) VALUES (gen_random_uuid(), now())
      ON CONFLICT (event_id) DO NOTHING`.catch((reason: unknown) => reason)
    expect(failureKind(error)).toBe('unavailable')
  })
})

it('an event that was late by weeks is still recognised after a purge', async () => {
  const late = testBid({ atMs: Date.now() - limitHours * 3_600_000 * 4 })
  await projectEvents(database.session, [bidEvent(late)])
  expect(await purgeInbox(database.sql)).toEqual({ days: 0, rows: 0 })
  await projectEvents(database.session, [bidEvent(late)])
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections([late], []))
})

it('takes more than one chunk, and two brooms share the work', async () => {
  await database.sql`
    INSERT INTO inbox_events SELECT gen_random_uuid(), now() - interval '8 days', now() - interval '8 days'
    FROM generate_series(1, 12000)`
  const kept = await putInInbox(1, 1)
  const purged = await Promise.all([purgeInbox(database.sql), purgeInbox(database.sql)])
  expect(purged.reduce((sum, { rows }) => sum + rows, 0)).toBe(12_000)
  expect(await inbox()).toEqual([kept])
})

it('the search for what is due reads an index, however large the inbox', async () => {
  const plan = await inTransaction(database.url, async (tx) => {
    await tx`SET LOCAL enable_seqscan = off`
    return await tx<{ 'QUERY PLAN': string }[]>`
      EXPLAIN SELECT event_id FROM inbox
      WHERE greatest(occurred_at, received_at) < clock_timestamp() - make_interval(days => 7)
      ORDER BY greatest(occurred_at, received_at) LIMIT 5000`
  })
  expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('inbox_by_age')
})
