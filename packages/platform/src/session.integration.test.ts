import { afterEach, beforeEach, expect, test } from 'vitest'
import { isTransient } from './errors.ts'
import { openSession } from './session.ts'
import type { Session } from './session.ts'
import { createTestDatabase } from './testing/test-database.ts'
import type { TestDatabase } from './testing/test-database.ts'

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
  return session.transaction((pipeline) =>
    pipeline<[unknown, unknown, unknown]>((sql) => [
      sql`BEGIN`,
      sql`INSERT INTO notes VALUES (${body})`,
      sql`COMMIT`,
    ]),
  )
}

test('what throws is rolled back, and the connection serves the next transaction', async () => {
  const failing = session.transaction(async (pipeline) => {
    await pipeline<[unknown, unknown]>((sql) => [
      sql`BEGIN`,
      sql`INSERT INTO notes VALUES ('lost')`,
    ])
    throw new Error('changed my mind')
  })
  await expect(failing).rejects.toThrow('changed my mind')
  await write('kept')
  expect(await bodies()).toEqual(['kept'])
})

// The driver asks for the types of a statement's parameters before it sends what comes after: those wait in
// a queue that it forgets when the connection goes.
test('a connection lost under a statement that is new to it rejects all of the pipeline', async () => {
  const lost = session.transaction(async (pipeline) => {
    const [, [backend]] = await pipeline<[unknown, { pid: number }[]]>((sql) => [
      sql`BEGIN`,
      sql`SELECT pg_backend_pid() AS pid`,
    ])
    await database.sql`SELECT pg_terminate_backend(${backend?.pid ?? 0}::int)`
    await pipeline<[unknown, unknown]>((sql) => [
      sql`INSERT INTO notes VALUES (${'lost'})`,
      sql`COMMIT`,
    ])
  })
  await expect(lost).rejects.toSatisfy(isTransient)
  await write('kept')
  expect(await bodies()).toEqual(['kept'])
})

test('a plan that a change of its table has made obsolete costs the transaction a second run, no more', async () => {
  await write('kept')
  let runs = 0
  const read = () =>
    session.transaction(async (pipeline) => {
      runs += 1
      const [, rows] = await pipeline<[unknown, { body: string }[], unknown]>((sql) => [
        sql`BEGIN`,
        sql<{ body: string }[]>`SELECT body FROM notes WHERE body <> ${'lost'}`,
        sql`COMMIT`,
      ])
      return rows.map(({ body }) => body)
    })
  expect(await read()).toEqual(['kept'])
  await database.sql`ALTER TABLE notes ALTER COLUMN body TYPE varchar(100)`
  expect(await read()).toEqual(['kept'])
  expect(runs).toBe(3)
  expect(await read()).toEqual(['kept'])
  expect(runs).toBe(4)
})
