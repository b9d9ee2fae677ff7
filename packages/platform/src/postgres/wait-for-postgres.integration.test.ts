/** What a start says of a database it cannot use, and of a pooler before one that it can. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectPostgres, waitForPostgres } from './postgres.ts'
import { StartError } from '../process/start-error.ts'
import { silentLog } from '../testing/test-rabbit.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'

let database: TestDatabase
const cleanups: (() => unknown)[] = []
beforeEach(async () => {
  database = await createTestDatabase()
  cleanups.push(database.drop)
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Resolves with what a start on this database says. */
async function start(url: string): Promise<unknown> {
  const sql = connectPostgres(url, { max: 1, applicationName: 'test' })
  cleanups.push(() => sql.end({ timeout: 0 }))
  const signal = AbortSignal.timeout(10_000)
  return await waitForPostgres(sql, silentLog, { signal, writes: true }).catch(
    (error: unknown) => error,
  )
}

async function listening(server: Server): Promise<string> {
  cleanups.push(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = new URL(database.url)
  url.host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return url.href
}

/** As PgBouncer answers a start-up message with a parameter that it neither knows nor was told to ignore. */
function refuse(socket: Socket): void {
  const fields = ['SFATAL', 'VFATAL', 'C08P01', 'Munsupported startup parameter: bytea_output', '']
  const body = Buffer.from(`${fields.join('\0')}\0`)
  const head = Buffer.from('E....')
  head.writeInt32BE(body.length + 4, 1)
  socket.once('data', () => socket.end(Buffer.concat([head, body])))
}

/** As a pooler with ignore_startup_parameters: only user, database and encoding reach the server. */
function stripParameters(socket: Socket): void {
  const { hostname, port } = new URL(database.url)
  const upstream = connect(Number(port), hostname)
  socket.once('data', (message: Buffer) => {
    const fields = message.subarray(8).toString().split('\0')
    const kept = ['user', 'database', 'client_encoding'].flatMap((name) => {
      const at = fields.indexOf(name)
      return at === -1 ? [] : [name, fields[at + 1] ?? '']
    })
    const body = Buffer.from(`${kept.join('\0')}\0\0`)
    const head = Buffer.alloc(8)
    head.writeInt32BE(body.length + 8, 0)
    message.copy(head, 4, 4, 8)
    upstream.write(Buffer.concat([head, body]))
    socket.pipe(upstream).pipe(socket)
  })
  for (const each of [socket, upstream]) each.on('error', () => undefined)
}

test('a pooler that refuses a start-up parameter ends the start with the reason and the remedy', async () => {
  const said = await start(await listening(createServer(refuse)))
  expect(said).toBeInstanceOf(StartError)
  expect(String(said)).toMatch(/bytea_output.*ignore_startup_parameters.*DateStyle/s)
})

test('a pooler that leaves the parameters out is found out where it matters', async () => {
  const url = await listening(createServer(stripParameters))
  expect(await start(url)).toBeUndefined()
  const name = new URL(database.url).pathname.slice(1)
  const { sql } = database
  await sql`ALTER DATABASE ${sql(name)} SET bytea_output = 'escape'`
  await sql`ALTER DATABASE ${sql(name)} SET DateStyle = 'German'`
  const said = await start(url)
  expect(said).toBeInstanceOf(StartError)
  expect(String(said)).toMatch(/bytea_output = 'escape', DateStyle = 'German.*pooler/s)
  // Whoever connects later on is not misled either.
  const late = connectPostgres(url, { max: 1, applicationName: 'test' })
  cleanups.push(() => late.end({ timeout: 0 }))
  await expect(late`SELECT '\\x01ff'::bytea`).rejects.toThrow(/bytea_output/)
  await expect(late`SELECT '2026-02-01'::timestamptz`).rejects.toThrow(/DateStyle/)
  expect(await late`SELECT 1 AS one`).toMatchObject([{ one: 1 }])
})

test('a wrong password is told at once, in a sentence', async () => {
  const url = new URL(database.url)
  url.username = 'nobody'
  const said = await start(url.href)
  expect(said).toBeInstanceOf(StartError)
  expect(String(said)).toMatch(/cannot be used.*DATABASE_URL/)
})
