/**
 * Connections to Postgres that have become black holes: no goodbye, no answer, and new ones work. Nothing may
 * wait for them longer than its statement's time limit, and whatever comes after must find a way that works.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isTransient, isUnavailable } from '../process/errors.ts'
import { checkPostgres, connectPostgres } from './postgres.ts'
import type { Sql } from './postgres.ts'
import { openSession, openSessionPool } from './session.ts'
import type { Session } from './session.ts'
import { eventually } from '../testing/eventually.ts'
import { startTcpProxy } from '../testing/tcp-proxy.ts'
import type { TcpProxy } from '../testing/tcp-proxy.ts'
import { createTestDatabase } from '../testing/test-database.ts'
import type { TestDatabase } from '../testing/test-database.ts'

/** So short that a test need not wait, and long enough for a busy machine. */
const statementTimeoutMs = 500
/** The limit, its allowance for the way, and a new connection. */
const recoveryMs = 3_000

const settings = { applicationName: 'bidmesh black hole', statementTimeoutMs }

let database: TestDatabase
let proxy: TcpProxy
let cleanup: AsyncDisposableStack

beforeEach(async () => {
  cleanup = new AsyncDisposableStack()
  database = cleanup.adopt(await createTestDatabase(), (each) => each.drop())
  proxy = cleanup.adopt(await startTcpProxy(database.url), (each) => each.close())
})
afterEach(() => cleanup.disposeAsync())

function pool(max: number): Sql {
  return cleanup.adopt(connectPostgres(proxy.url, { ...settings, max }), (sql) =>
    sql.end({ timeout: 0 }),
  )
}

function session(): Session {
  return cleanup.adopt(openSession(proxy.url, settings), (each) => each.close())
}

const ping = (on: Session) =>
  on.transaction((transaction) => transaction.commit((sql) => [sql`SELECT 1`]))

async function withinMs(limitMs: number, work: () => Promise<unknown>): Promise<unknown> {
  const startedMs = performance.now()
  const outcome = await work().catch((error: unknown) => error)
  expect(performance.now() - startedMs).toBeLessThan(limitMs)
  return outcome
}

/** Server-side, connections of the code under test, or its heartbeat's. */
async function backends(applicationName: string = settings.applicationName): Promise<number> {
  const [row] = await database.sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ${applicationName}`
  return row?.count ?? 0
}

test('a query in a hole is told so in time, and the next one is answered at once', async () => {
  const sql = pool(3)
  await Promise.all([checkPostgres(sql), checkPostgres(sql), sql`SELECT pg_sleep(0.1)`])
  proxy.swallow()
  const lost = await withinMs(recoveryMs, () => checkPostgres(sql))
  expect(lost).toSatisfy(isTransient)
  // Of all of the pool's connections, not only of the one that was asked.
  for (let query = 0; query < 6; query += 1)
    await withinMs(statementTimeoutMs, () => checkPostgres(sql))
  expect(await Promise.all(Array.from({ length: 6 }, () => sql`SELECT 1 AS one`))).toHaveLength(6)
})

test('a query in a hole says nothing of those that are being answered', async () => {
  const sql = pool(2)
  await checkPostgres(sql)
  proxy.swallow()
  const lost = checkPostgres(sql).catch((error: unknown) => error)
  // On the other connection, which is new.
  const slow = () => sql`SELECT pg_sleep(0.3)`
  const answers: unknown[] = []
  await Promise.race([
    lost,
    (async () => {
      for (;;) answers.push(await slow())
    })(),
  ])
  expect(await lost).toSatisfy(isTransient)
  expect(answers.length).toBeGreaterThan(1)
  await slow()
})

test('a session in a hole rejects in time, and its next transaction has a new connection', async () => {
  const lane = session()
  await ping(lane)
  proxy.swallow()
  expect(await withinMs(recoveryMs, () => ping(lane))).toSatisfy(isTransient)
  await withinMs(statementTimeoutMs, () => ping(lane))
})

test('one that has missed its answer tells all others that have heard nothing since', async () => {
  const commands = cleanup.adopt(openSessionPool(proxy.url, { ...settings, max: 3 }), (each) =>
    each.close(),
  )
  const [lane, sql] = [session(), pool(1)]
  await Promise.all([
    ping(commands),
    ping(commands),
    ping(commands),
    ping(lane),
    checkPostgres(sql),
  ])
  proxy.swallow()
  expect(await withinMs(recoveryMs, () => ping(lane))).toSatisfy(isTransient)
  await withinMs(statementTimeoutMs, () =>
    Promise.all([ping(commands), ping(commands), ping(commands), checkPostgres(sql)]),
  )
})

test('dead connections are not kept: neither here nor, once they are cut, at the server', async () => {
  const sql = pool(2)
  const lane = session()
  for (let round = 0; round < 3; round += 1) {
    await Promise.all([checkPostgres(sql), ping(lane)])
    proxy.swallow()
    await Promise.allSettled([checkPostgres(sql), ping(lane)])
    await Promise.all([checkPostgres(sql), ping(lane)])
  }
  expect(proxy.open()).toBeLessThanOrEqual(3)
  proxy.cut()
  await eventually(async () => expect(await backends()).toBe(0))
  // What was in flight on a connection that is cut is not carried into the next one.
  await eventually(async () => {
    expect(await sql`SELECT 1 AS one`).toEqual([{ one: 1 }])
    await ping(lane)
  })
})

/** Until the next beat, and three without an answer. */
const heartbeatMs = 4_500
const patient = { applicationName: settings.applicationName, statementTimeoutMs: 60_000 }

test('a heartbeat finds the hole long before the limit of a statement that may wait', async () => {
  const lane = cleanup.adopt(openSession(proxy.url, patient), (each) => each.close())
  const sql = cleanup.adopt(connectPostgres(proxy.url, { ...patient, max: 1 }), (each) =>
    each.end({ timeout: 0 }),
  )
  await Promise.all([ping(lane), checkPostgres(sql)])
  // Through the proxy, and that of the test's own connection.
  await eventually(async () => expect(await backends('bidmesh heartbeat')).toBe(2))
  proxy.swallow()
  const outcomes = await withinMs(heartbeatMs, () =>
    Promise.all(
      [ping(lane), checkPostgres(sql)].map((sent) => sent.catch((error: unknown) => error)),
    ),
  )
  expect(outcomes).toEqual([expect.toSatisfy(isTransient), expect.toSatisfy(isUnavailable)])
  await withinMs(statementTimeoutMs, () => Promise.all([checkPostgres(sql), ping(lane)]))
})

test('neither a long statement nor a process that stood still is taken for a hole', async () => {
  const lane = cleanup.adopt(openSession(proxy.url, patient), (each) => each.close())
  const long = lane.transaction((transaction) =>
    transaction.commit((sql) => [
      sql<{ slept: string }[]>`SELECT 'whole' AS slept FROM pg_sleep(9)`,
    ]),
  )
  await sleep(1_500)
  // Longer than the beats that count as silence.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_500)
  expect((await long)[0]).toEqual([{ slept: 'whole' }])
})
