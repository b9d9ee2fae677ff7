/** Which inbox rows are old enough to go: by the time of the event and by that of its arrival. */
import { randomUUID } from 'node:crypto'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { projectEvents } from './project-events.ts'
import { purgeInbox, RETENTION_DAYS } from './purge-inbox.ts'
import { migrationsDirectory } from './stats-part.ts'
import { bidEvent, recomputedProjections, storedProjections, testBid } from './test-events.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
})
afterAll(() => database.drop())
beforeEach(async () => {
  await database.sql`TRUNCATE inbox, user_items, user_stats, item_stats, activity`
})

/** @param occurredHours ago @param receivedHours ago */
async function putInInbox(occurredHours: number, receivedHours: number): Promise<string> {
  const id = randomUUID()
  await database.sql`INSERT INTO inbox VALUES (${id},
    clock_timestamp() - make_interval(hours => ${occurredHours}),
    clock_timestamp() - make_interval(hours => ${receivedHours}))`
  return id
}

async function inbox(): Promise<string[]> {
  const rows = await database.sql<{ event_id: string }[]>`SELECT event_id FROM inbox`
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
  expect(await purgeInbox(database.sql)).toBe(2)
  expect(await inbox()).toEqual(kept.toSorted())
  expect(await purgeInbox(database.sql)).toBe(0)
})

it('an event that was late by weeks is still recognised after a purge', async () => {
  const late = testBid({ atMs: Date.now() - limitHours * 3_600_000 * 4 })
  await projectEvents(database.session, [bidEvent(late)])
  expect(await purgeInbox(database.sql)).toBe(0)
  await projectEvents(database.session, [bidEvent(late)])
  expect(await storedProjections(database.sql)).toEqual(recomputedProjections([late], []))
})

it('takes more than one chunk, and two brooms share the work', async () => {
  await database.sql`
    INSERT INTO inbox SELECT gen_random_uuid(), now() - interval '8 days', now() - interval '8 days'
    FROM generate_series(1, 12000)`
  const kept = await putInInbox(1, 1)
  const purged = await Promise.all([purgeInbox(database.sql), purgeInbox(database.sql)])
  expect(purged.reduce((a, b) => a + b)).toBe(12_000)
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
