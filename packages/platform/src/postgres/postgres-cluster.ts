/**
 * Creates the data directory of an embedded Postgres, completely or not at all: initdb runs in a draft
 * beside it, and a rename makes it real. Holds the password of its superuser too, since with `trust` any
 * user of the machine could have the database, and with it the account it runs under.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { errorCode, messageOf } from '../process/errors.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { isRunning } from '../process/process-end.ts'
import type { ProgressLog } from '../process/progress-log.ts'
import { StartError } from '../process/start-error.ts'
import { unprivilegedAccount } from '../process/unprivileged.ts'

const run = promisify(execFile)

/** 0.5 s on an idle machine; a minute means that something is wrong. */
const initdbLimitMs = 60_000

/**
 * The environment of Postgres programs: the caller's PGDATA, PGOPTIONS or LC_* are not meant for this
 * server, and its Node options even less.
 */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }
}

/** The superuser's password, readable by the directory's owner alone. */
export async function readPassword(dataDir: string): Promise<string> {
  return await readFile(path.join(dataDir, 'bidmesh-password'), 'utf8')
}

/**
 * Makes sure that the directory holds a cluster (UTF-8, C locale, SCRAM). Any number of processes may
 * try at once: one wins, all return. Throws when the directory holds something else.
 */
export async function ensureCluster(
  dataDir: string,
  binaries: PostgresBinaries,
  log: ProgressLog,
): Promise<void> {
  if (await isCluster(dataDir)) return
  await mkdir(path.dirname(dataDir), { recursive: true })
  await removeAbandonedDrafts(dataDir)
  log.info({ dataDir }, 'creating a new Postgres data directory')
  const draft = `${dataDir}.new-${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    await initialise(draft, binaries)
    await rename(path.join(draft, 'data'), dataDir)
  } catch (error) {
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error
    if (await isCluster(dataDir)) return
    throw new StartError(
      `${dataDir} holds files that are not Postgres's: choose another directory`,
      {
        cause: error,
      },
    )
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function initialise(draft: string, binaries: PostgresBinaries): Promise<void> {
  const data = path.join(draft, 'data')
  const password = path.join(draft, 'password')
  await mkdir(data, { recursive: true, mode: 0o700 })
  await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 })
  const { prefix, identity } = await unprivilegedAccount(binaries.initdb, draft)
  const [file, ...args] = [...prefix, binaries.initdb]
  const options = [
    `--pgdata=${data}`,
    `--pwfile=${password}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--no-locale',
    '--no-instructions',
  ]
  await run(file, [...args, ...options], {
    ...identity,
    env: postgresEnvironment(),
    cwd: '/',
    timeout: initdbLimitMs,
  })
  await rename(password, path.join(data, 'bidmesh-password'))
}

async function isCluster(dataDir: string): Promise<boolean> {
  try {
    await stat(path.join(dataDir, 'PG_VERSION'))
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw new StartError(`cannot use ${dataDir}: ${messageOf(error)} (is it another user's?)`, {
      cause: error,
    })
  }
}

/** Drafts of processes that were killed during initdb. */
async function removeAbandonedDrafts(dataDir: string): Promise<void> {
  const parent = path.dirname(dataDir)
  const prefix = `${path.basename(dataDir)}.new-`
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(prefix)
      ? Number.parseInt(name.slice(prefix.length), 10)
      : Number.NaN
    if (!Number.isInteger(pid) || isRunning(pid)) continue
    await rm(path.join(parent, name), { recursive: true, force: true })
  }
}
