import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isTransient } from '../process/errors.ts'
import { openSession } from './session.ts'
import type { Session } from './session.ts'
import { createTestDatabase } from '../testing/test-database.ts'
import type { TestDatabase } from '../testing/test-database.ts'

let database: TestDatabase
let session: Session

beforeEach(async () => {
  database = await createTestDatabase()
  await database.sql`CREATE TABLE notes (body text NOT NULL)`
  session = openSession(database.url, { applicationName: 'bidmesh-test' })
})
afterEach(async () => {
  await session.close()
  await database.drop()
})

const bodies = async () =>
  (await database.sql<{ body: string }[]>`SELECT body FROM notes`).map(({ body }) => body)

function write(body: string): Promise<unknown> {
  return session.transaction((transaction) =>
    transaction.commit((sql) => [sql`INSERT INTO notes VALUES (${body})`]),
  )
}

test('what throws is rolled back, and the connection serves the next transaction', async () => {
  const failing = session.transaction(async (transaction) => {
    await transaction.query((sql) => [sql`INSERT INTO notes VALUES ('lost')`])
    throw new Error('changed my mind')
  })
  await expect(failing).rejects.toThrow('changed my mind')
  await write('kept')
  expect(await bodies()).toEqual(['kept'])
})

// The driver asks for the types of a statement's parameters before it sends what comes after: those wait in
// a queue that it forgets when the connection goes.
test('a connection lost under a statement that is new to it rejects all that was sent with it', async () => {
  const lost = session.transaction(async (transaction) => {
    const [[backend]] = await transaction.query((sql) => [
      sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`,
    ])
    await database.sql`SELECT pg_terminate_backend(${backend?.pid ?? 0}::int)`
    return await transaction.commit((sql) => [sql`INSERT INTO notes VALUES (${'lost'})`])
  })
  await expect(lost).rejects.toSatisfy(isTransient)
  await write('kept')
  expect(await bodies()).toEqual(['kept'])
})

test('a plan that a change of its table has made obsolete costs the transaction a second run, no more', async () => {
  await write('kept')
  let runs = 0
  const read = () =>
    session.transaction(async (transaction) => {
      runs += 1
      const done = await transaction.commit((sql) => [
        sql<{ body: string }[]>`SELECT body FROM notes WHERE body <> ${'lost'}`,
      ])
      return done.map(([rows]) => rows.map(({ body }) => body))
    })
  expect(await read()).toEqual(['kept'])
  await database.sql`ALTER TABLE notes ALTER COLUMN body TYPE varchar(100)`
  expect(await read()).toEqual(['kept'])
  expect(runs).toBe(3)
  expect(await read()).toEqual(['kept'])
  expect(runs).toBe(4)
})

test('what runs beside the commit is waited for, and nothing can follow it', async () => {
  let told = false
  const value = await session.transaction(async (transaction) => {
    const done = await transaction.commit(
      (sql) => [sql<{ n: number }[]>`SELECT 1 AS n`],
      async () => {
        await sleep(20)
        told = true
      },
    )
    await expect(transaction.query((sql) => [sql`SELECT 1`])).rejects.toThrow('is over')
    return done.map(([rows]) => rows[0]?.n)
  })
  expect([value, told]).toEqual([1, true])
})

test('a transaction of no statements begins and ends', async () => {
  const results = await session.transaction((transaction) => transaction.commit(() => []))
  expect(results).toEqual([])
})
