import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { connectPostgres, type Sql } from './postgres.ts'
import { isRunning, waitForEnd } from '../process/process-end.ts'
import { createPrivateDirectory, type PrivateDirectory } from '../testing/private-directory.ts'

const quiet = { info: () => undefined, warn: () => undefined }

let parent: PrivateDirectory
let dataDir: string
let servers: EmbeddedPostgres[]
let pools: Sql[]

beforeEach(async () => {
  parent = await createPrivateDirectory()
  // As root, a place where Postgres's own user may not even enter.
  await chmod(parent.path, 0o700)
  dataDir = path.join(parent.path, 'deep', 'postgres')
  servers = []
  pools = []
})

afterEach(async () => {
  await Promise.all(pools.map(async (sql) => await sql.end({ timeout: 0 })))
  for (const server of servers) await server.stop()
  await parent.remove()
})

async function start(): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, log: quiet })
  await parent.reap('postgres', server.pid, 'QUIT')
  servers.push(server)
  return server
}

function open(server: EmbeddedPostgres): Sql {
  const sql = connectPostgres(server.url('postgres'), { max: 1, applicationName: 'test' })
  pools.push(sql)
  return sql
}

/** A process that starts the server on our directory, says its id, and stays. */
async function startElsewhere(): Promise<{ owner: ReturnType<typeof spawn>; serverPid: number }> {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(import.meta.resolve('./embedded-postgres.ts'))}
    const log = { info: () => undefined, warn: () => undefined }
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log })
    console.log(server.pid)
    setInterval(() => undefined, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface(owner.stdout), 'line')
  await parent.reap('postgres', Number(line), 'QUIT')
  return { owner, serverPid: Number(line) }
}

describe('a new data directory', () => {
  test('gets a durable UTF-8 server in UTC that only this machine and our password reach', async () => {
    const sql = open(await start())
    const settings = await sql<
      { name: string; setting: string }[]
    >`SELECT name, setting FROM pg_settings`
    const byName = Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))
    expect(byName).toMatchObject({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      TimeZone: 'UTC',
      server_encoding: 'UTF8',
      lc_messages: 'C',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    })
    const { port } = servers[0] ?? {}
    const stranger = connectPostgres(`postgres://postgres:guess@127.0.0.1:${port}/postgres`, {
      max: 1,
      applicationName: 'test',
    })
    pools.push(stranger)
    await expect(stranger`SELECT 1`).rejects.toMatchObject({ code: '28P01' })
  })

  test('is created once by two starts at the same moment, which share the server', async () => {
    const [first, second] = await Promise.all([start(), start()])
    expect(first.pid).toBe(second.pid)
    expect(first.adopted).not.toBe(second.adopted)
  })

  test('is refused when it holds something else', async () => {
    await mkdir(dataDir, { recursive: true })
    await writeFile(path.join(dataDir, 'thesis.txt'), 'the only copy')
    await expect(start()).rejects.toThrow('holds files that are not')
    expect(await readFile(path.join(dataDir, 'thesis.txt'), 'utf8')).toBe('the only copy')
  })
})

describe('a data directory that was used before', () => {
  test('keeps its data between runs', async () => {
    const first = await start()
    await open(first)`CREATE TABLE kept AS SELECT 42 AS answer`
    await first.stop()
    expect(isRunning(first.pid)).toBe(false)
    const second = await start()
    expect(second.adopted).toBe(false)
    expect(await open(second)`SELECT answer FROM kept`).toEqual([{ answer: 42 }])
  })

  test('is recovered after kill -9 of Postgres, commits included', async () => {
    const first = await start()
    await open(first)`CREATE TABLE kept AS SELECT 42 AS answer`
    process.kill(first.pid, 'SIGKILL')
    await waitForEnd(first.pid, 5_000)
    const second = await start()
    expect(second.pid).not.toBe(first.pid)
    expect(await open(second)`SELECT answer FROM kept`).toEqual([{ answer: 42 }])
  })

  test('is started although postmaster.pid names a process that is something else by now', async () => {
    const first = await start()
    process.kill(first.pid, 'SIGKILL')
    await waitForEnd(first.pid, 5_000)
    const pidFile = path.join(dataDir, 'postmaster.pid')
    const stale = await readFile(pidFile, 'utf8')
    await writeFile(pidFile, stale.replace(String(first.pid), String(process.pid)))
    const second = await start()
    expect(await open(second)`SELECT 1 AS one`).toEqual([{ one: 1 }])
  })

  test('whose server will not start says why, in the words of Postgres', async () => {
    await (await start()).stop()
    await rm(path.join(dataDir, 'global', 'pg_control'))
    await expect(start()).rejects.toThrow(/did not start[^]*pg_control/)
  })
})

describe('a server whose owner was killed', () => {
  test('is adopted with its connections, and stopped by its new owner', async () => {
    const { owner, serverPid } = await startElsewhere()
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    const server = await start()
    expect(server).toMatchObject({ pid: serverPid, adopted: true })
    await open(server)`SELECT 1`
    await server.stop()
    expect(isRunning(serverPid)).toBe(false)
  })

  test('does not get the Ctrl-C of its terminal', async () => {
    const { owner, serverPid } = await startElsewhere()
    // The fifth field of stat is the process group; Ctrl-C goes to the owner's.
    const stat = await readFile(`/proc/${serverPid}/stat`, 'utf8')
    expect(Number(stat.split(' ')[4])).toBe(serverPid)
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    await start()
  })
})
