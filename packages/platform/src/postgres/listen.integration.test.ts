import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../testing/eventually.ts'
import { startTcpProxy } from '../testing/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { listen, type Listener } from './listen.ts'

let database: TestDatabase
let heard: number
const cleanups: (() => unknown)[] = []

beforeEach(async () => {
  database = await createTestDatabase()
  cleanups.push(database.drop)
  heard = 0
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function listening(url: string): Promise<Listener> {
  const listener = listen(url, 'news', () => (heard += 1))
  cleanups.push(listener.stop)
  await eventually(() => listener.isListening())
  return listener
}

/** Whoever listens is told, as it would be by any other connection. */
async function isTold(): Promise<void> {
  const before = heard
  await database.sql`SELECT pg_notify('news', '')`
  await eventually(() => heard > before)
}

test('is told of its channel and of no other, and first that it listens', async () => {
  await listening(database.url)
  expect(heard).toBe(1)
  await isTold()
  await database.sql`SELECT pg_notify('olds', '')`
  await isTold()
  expect(heard).toBe(3)
})

test('listens again when its connection is ended, and says so: something may have been told meanwhile', async () => {
  const listener = await listening(database.url)
  await database.sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'bidmesh listener' AND datname = current_database()`
  await eventually(() => !listener.isListening())
  await eventually(() => listener.isListening())
  expect(heard).toBe(2)
  await isTold()
})

test('listens again when its connection has become a black hole', async () => {
  const proxy = await startTcpProxy(database.url)
  cleanups.push(proxy.close)
  await listening(proxy.url)
  // The heartbeat, which finds it out, has a connection by then.
  await eventually(() => proxy.open() === 2)
  proxy.swallow()
  await eventually(() => expect(heard).toBe(2), { limitMs: 10_000 })
  await isTold()
})

test('a server that is unavailable is waited for', async () => {
  const proxy = await startTcpProxy(database.url)
  cleanups.push(proxy.close)
  await proxy.refuse()
  const listener = listen(proxy.url, 'news', () => (heard += 1))
  cleanups.push(listener.stop)
  await new Promise((done) => setTimeout(done, 100))
  expect(listener.isListening()).toBe(false)
  await proxy.listen()
  await eventually(() => listener.isListening())
})
