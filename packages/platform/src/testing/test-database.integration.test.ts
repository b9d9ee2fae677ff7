import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { connectPostgres } from '../postgres/postgres.ts'
import { createTestDatabase } from './test-database.ts'

describe('createTestDatabase', () => {
  let migrations: string

  beforeAll(async () => {
    migrations = path.join(await mkdtemp(path.join(tmpdir(), 'bidmesh-test-')), 'migrations')
    await mkdir(migrations)
    await writeMigration('001_notes.sql', 'CREATE TABLE notes (body text)')
  })

  afterAll(async () => {
    await rm(path.dirname(migrations), { recursive: true })
  })

  async function writeMigration(name: string, statement: string): Promise<void> {
    await writeFile(path.join(migrations, name), `-- migrate:up\n${statement};\n-- migrate:down\n`)
  }

  test('gives each caller a migrated database of its own', async () => {
    const [first, second] = await Promise.all([
      createTestDatabase(migrations),
      createTestDatabase(migrations),
    ])
    await first.sql`INSERT INTO notes VALUES ('only in the first')`
    expect(await first.sql`SELECT body FROM notes`).toHaveLength(1)
    expect(await second.sql`SELECT body FROM notes`).toHaveLength(0)
    await Promise.all([first.drop(), second.drop()])
  })

  test('sees migrations that were added since', async () => {
    const before = await createTestDatabase(migrations)
    await writeMigration('002_tags.sql', 'CREATE TABLE tags (name text)')
    const after = await createTestDatabase(migrations)
    await expect(before.sql`SELECT * FROM tags`).rejects.toMatchObject({ code: '42P01' })
    expect(await after.sql`SELECT * FROM tags`).toHaveLength(0)
    await Promise.all([before.drop(), after.drop()])
  })

  test('drops a database somebody is still connected to', async () => {
    const { url, drop } = await createTestDatabase()
    const other = connectPostgres(url, { max: 1, applicationName: 'bidmesh-test' })
    await other`SELECT 1`
    await drop()
    const admin = connectPostgres(inject('databaseUrl'), {
      max: 1,
      applicationName: 'bidmesh-test',
    })
    const name = new URL(url).pathname.slice(1)
    expect(await admin`SELECT 1 FROM pg_database WHERE datname = ${name}`).toHaveLength(0)
    await Promise.all([other.end(), admin.end()])
  })
})
