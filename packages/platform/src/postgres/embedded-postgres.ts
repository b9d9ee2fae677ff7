/**
 * A real Postgres on a data directory of ours, from npm's binaries: for standalone, and for tests on a
 * machine that has none. It belongs to its data directory, not to the process that started it: it runs
 * in a session of its own (Ctrl-C does not reach it before our own shutdown has used it), outlives a
 * `kill -9` of its owner, and is adopted by the next start. Durability stays at Postgres's defaults.
 *
 * A start reads `postmaster.pid` until it knows: no live server → start one; ready → adopt it; starting
 * or stopping → look again. The npm package's own API is not used: as root it creates system users, it
 * cannot adopt, and its server dies with the terminal's Ctrl-C.
 */
import { spawn } from 'node:child_process'
import { open, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from '../process/errors.ts'
import { freePort } from '../process/free-port.ts'
import { checkPostgres, connectPostgres } from './postgres.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { ensureCluster, postgresEnvironment, readPassword } from './postgres-cluster.ts'
import { endProcess, isRunning } from '../process/process-end.ts'
import type { ProgressLog } from '../process/progress-log.ts'
import { StartError } from '../process/start-error.ts'
import { unprivilegedAccount } from '../process/unprivileged.ts'

/** Replaying the write-ahead log after a crash (at most about 1 GB of it) may take this long. */
const startLimitMs = 120_000
/** How often `postmaster.pid` is looked at during a start. */
const startPollMs = 20
/** A start that waits says so this often. */
const sayWaitingMs = 2_000
/** After a `kill -9` of the postmaster its children need a moment to notice and let go. */
const restartPauseMs = 200
/** A fast shutdown writes a checkpoint of at most `shared_buffers`; our owner has 9 s to stop. */
const fastShutdownLimitMs = 5_000
const immediateShutdownLimitMs = 1_500
const killLimitMs = 1_000
/** Errors and restarts only, so this is years; a start begins a new log above it. */
const logLimitBytes = 1_000_000
/** How much of the server's log a failed start shows. */
const logTailBytes = 2_000

/** Small for the sake of an idle machine; what keeps commits durable is not among them. */
const defaultSettings = {
  listen_addresses: '127.0.0.1',
  // A socket's path may have 107 bytes: a deep clone would break it.
  unix_socket_directories: '',
  shared_buffers: '64MB',
  max_connections: '100',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
}

export type EmbeddedPostgres = {
  /** Connection URL of a database on this server, password included. The database need not exist. */
  url: (database: string) => string
  port: number
  /** Of the postmaster. */
  pid: number
  /** It ran already: left by an owner that was killed, or another process's (see the data directory's claim). */
  adopted: boolean
  /** Fast shutdown, harder after 5 s; stops an adopted server too. May be called twice. */
  stop: () => Promise<void>
}

export type EmbeddedPostgresOptions = {
  /** Created when missing, with its parents. The server's log is beside it: `<dataDir>.log`. */
  dataDir: string
  /** A free one when not given. An adopted server keeps the port it has. */
  port?: number
  log: ProgressLog
  /** Server settings over the defaults above. */
  settings?: Readonly<Record<string, string>>
}

type Server = { pid: number; port: number; status: string }
type Attempt = { pid: number; exited: boolean; logStart: number }

/**
 * Starts Postgres on a data directory, creating it first when it is new, or adopts the one that runs
 * there. Throws with the end of the server's log when it does not come up.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const dataDir = path.resolve(options.dataDir)
  const binaries = await findPostgresBinaries()
  await ensureCluster(dataDir, binaries, options.log)
  const password = await readPassword(dataDir)
  const deadline = performance.now() + startLimitMs
  let sayAt = performance.now() + sayWaitingMs
  let attempt: Attempt | undefined
  while (performance.now() < deadline) {
    const server = await readServer(dataDir)
    if (server?.status === 'ready' && (await answers(server, password))) {
      return running(server, dataDir, password, server.pid !== attempt?.pid)
    }
    if (server === undefined && attempt?.exited !== false) {
      if (attempt !== undefined) await expectRetryable(dataDir, attempt)
      attempt = await spawnServer(binaries.postgres, dataDir, options)
    }
    if (performance.now() > sayAt) {
      sayAt += sayWaitingMs
      options.log.info({ status: server?.status ?? 'starting' }, 'waiting for Postgres')
    }
    await sleep(startPollMs)
  }
  throw new Error(
    `Postgres on ${dataDir} did not answer within ${startLimitMs} ms: ${await logFrom(dataDir, 0)}`,
  )
}

function running(
  { pid, port }: Server,
  dataDir: string,
  password: string,
  adopted: boolean,
): EmbeddedPostgres {
  return {
    url: (database) => databaseUrl(port, password, database),
    port,
    pid,
    adopted,
    stop: async () => {
      // Gone already, or somebody has started another since, which is theirs.
      if ((await readServer(dataDir))?.pid !== pid) return
      await endProcess(pid, [
        { signal: 'SIGINT', limitMs: fastShutdownLimitMs },
        { signal: 'SIGQUIT', limitMs: immediateShutdownLimitMs },
        { signal: 'SIGKILL', limitMs: killLimitMs },
      ])
    },
  }
}

function databaseUrl(port: number, password: string, database: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/${database}`
}

async function spawnServer(
  postgres: string,
  dataDir: string,
  options: EmbeddedPostgresOptions,
): Promise<Attempt> {
  const { prefix, identity } = await unprivilegedAccount(postgres, dataDir)
  const port = options.port ?? (await freePort())
  const settings = Object.entries({ ...defaultSettings, ...options.settings, port: String(port) })
  const [file, ...args] = [...prefix, postgres]
  const flags = ['-D', dataDir, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  // To a file and not to us: a server that outlives its reader would lose what it has to say.
  const logPath = `${dataDir}.log`
  const log = await open(logPath, (await sizeOf(logPath)) > logLimitBytes ? 'w' : 'a')
  try {
    const logStart = (await log.stat()).size
    const child = spawn(file, [...args, ...flags], {
      ...identity,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: postgresEnvironment(),
      cwd: '/',
    })
    const { promise: spawned, resolve, reject } = Promise.withResolvers<undefined>()
    const attempt = { pid: child.pid ?? 0, exited: false, logStart }
    child.once('spawn', () => resolve(undefined))
    child.once('error', reject)
    child.once('exit', () => (attempt.exited = true))
    await spawned
    child.unref()
    return attempt
  } finally {
    await log.close()
  }
}

/** A start that lost a race, or met what a killed server left for a moment, is worth another. */
async function expectRetryable(dataDir: string, attempt: Attempt): Promise<void> {
  const said = await logFrom(dataDir, attempt.logStart)
  if (!/lock file ".*" (already exists|is empty)|is still in use/.test(said)) {
    throw new StartError(`Postgres on ${dataDir} did not start: ${said.trim()}`)
  }
  await sleep(restartPauseMs)
}

/** The server on a data directory by its `postmaster.pid`, when that process lives. */
async function readServer(dataDir: string): Promise<Server | undefined> {
  const pidFile = path.join(dataDir, 'postmaster.pid')
  let lines: string[]
  try {
    lines = (await readFile(pidFile, 'utf8')).split('\n')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  // Lines: pid, directory, start time, port, socket directory, address, shared memory, status.
  const pid = Number.parseInt(lines[0] ?? '', 10)
  if (!Number.isInteger(pid) || !isRunning(pid)) return undefined
  if (!(await isPostgres(pid))) {
    // After a reboot the number may be another program's, and Postgres would believe in it.
    await rm(pidFile, { force: true })
    return undefined
  }
  return { pid, port: Number(lines[3]), status: lines[7]?.trim() ?? 'starting' }
}

async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
  return name.trim() === 'postgres'
}

/** The password is the directory's own, so an answer to it comes from this directory's server. */
async function answers({ port }: Server, password: string): Promise<boolean> {
  const sql = connectPostgres(databaseUrl(port, password, 'postgres'), {
    max: 1,
    applicationName: 'bidmesh-start',
  })
  try {
    await checkPostgres(sql)
    return true
  } catch {
    return false
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function sizeOf(file: string): Promise<number> {
  return await stat(file).then(
    ({ size }) => size,
    () => 0,
  )
}

async function logFrom(dataDir: string, start: number): Promise<string> {
  const log = await readFile(`${dataDir}.log`).catch(() => Buffer.alloc(0))
  return log.subarray(Math.max(start, log.length - logTailBytes)).toString()
}
