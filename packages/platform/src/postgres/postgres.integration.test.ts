import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { bytesArray } from './postgres-arrays.ts'
import { connectPostgres, type Sql } from './postgres.ts'

let sql: Sql

beforeAll(() => {
  sql = connectPostgres(inject('databaseUrl'), { max: 1, applicationName: 'postgres-test' })
})

afterAll(async () => {
  await sql.end()
})

describe('arrays', () => {
  test('arrive with every text as it was sent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.string({ unit: 'grapheme' }))), async (texts) => {
        // Postgres has no NUL in its texts.
        const sent = texts.map((text) => text?.replaceAll('\0', '') ?? null)
        const rows = await sql`SELECT each FROM unnest(${sent}::text[]) AS each`
        expect(rows.map((row) => row['each'])).toEqual(sent)
      }),
    )
  })

  test.each([
    ['smallint', [-32_768, 32_767]],
    ['integer', [-1, 2_147_483_647]],
    ['uuid', ['019a0000-0000-7000-8000-000000000000']],
    ['numeric', ['12345678901234567890.5']],
    ['timestamptz', [new Date(0).toISOString()]],
  ])('of %s', async (type, sent) => {
    const rows = await sql`SELECT to_jsonb(each) AS each
      FROM unnest(${sent}::${sql.unsafe(type)}[]) AS each`
    expect(rows.map((row) => row['each'])).toEqual(
      type === 'numeric'
        ? sent.map(Number)
        : type === 'timestamptz'
          ? ['1970-01-01T00:00:00+00:00']
          : sent,
    )
  })

  test('of bigint, beyond what a number holds', async () => {
    const sent = ['9223372036854775807', '-9223372036854775808']
    const rows = await sql`SELECT each FROM unnest(${sent}::bigint[]) AS each`
    expect(rows.map((row) => String(row['each']))).toEqual(sent)
  })

  test('of bytea', async () => {
    const sent = [Buffer.from([0, 34, 92, 255]), Buffer.alloc(0)]
    const rows =
      await sql`SELECT each FROM unnest(${bytesArray(sent, (each) => each)}::bytea[]) AS each`
    expect(rows.map((row) => row['each'] as Buffer)).toEqual(sent)
  })
})

test('a connection cut right after the log-in is an error of the query, and of nothing else', async () => {
  // AuthenticationOk, ReadyForQuery; the first statement is answered by hanging up.
  const welcome = Buffer.from('5200000008000000005a0000000549', 'hex')
  const sockets = new Set<Socket>()
  await using server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write(welcome)
      socket.once('data', () => socket.destroy())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const cut = connectPostgres(`postgres://somebody@127.0.0.1:${port}/any`, {
    max: 1,
    applicationName: 'postgres-test',
  })
  // A second rejection that nobody handles would fail this test run.
  await expect(cut`SELECT 1`).rejects.toThrow('CONNECTION_CLOSED')
  await cut.end({ timeout: 0 })
  for (const socket of sockets) socket.destroy()
})
