/**
 * Finds the server programs that npm does not bring, and installs them with apt where we may. It never
 * starts or uses the distribution's own services: we only want the binaries.
 */
import { spawn } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { errorCode } from '../process/errors.ts'
import type { ProgressLog } from '../process/progress-log.ts'
import { findProgramIn, pathFolders } from './find-program.ts'

/**
 * The Debian package of each program, and where to look before the PATH: an ordinary user's often lacks
 * `sbin`, and Debian's wrapper there insists on root.
 */
const programs = {
  'rabbitmq-server': {
    debian: 'rabbitmq-server',
    places: ['/usr/lib/rabbitmq/bin', '/opt/homebrew/sbin', '/usr/local/sbin', '/usr/sbin'],
  },
  epmd: { debian: 'erlang-base', places: ['/usr/bin', '/opt/homebrew/bin'] },
  'redis-server': { debian: 'redis-server', places: ['/usr/bin', '/opt/homebrew/bin'] },
} as const

export type Program = keyof typeof programs

/** While this exists, Debian's packages do not start their services when they are installed. */
const policyFile = '/usr/sbin/policy-rc.d'

/**
 * Finds the programs, installing those that are missing. Returns a look-up of their absolute paths;
 * throws with what to install by hand when we may not or cannot.
 */
export async function installPrograms(
  names: readonly Program[],
  log: ProgressLog,
): Promise<(name: Program) => string> {
  let files = await findAll(names)
  const missing = names.filter((name) => !files.has(name)).map((name) => programs[name].debian)
  if (missing.length > 0) {
    const failure = await aptInstall(missing, log)
    if (failure !== undefined) throw new Error(howToInstall(missing, failure))
    files = await findAll(names)
  }
  return (name) => {
    const file = files.get(name)
    if (file === undefined) throw new Error(`${programs[name].debian} has no ${name}`)
    return file
  }
}

async function findAll(names: readonly Program[]): Promise<Map<Program, string>> {
  const found = new Map<Program, string>()
  for (const name of names) {
    const file = await findProgramIn([...programs[name].places, ...pathFolders()], name)
    if (file !== undefined) found.set(name, file)
  }
  return found
}

function howToInstall(packages: readonly string[], failure: string): string {
  return (
    `These services are needed and were not found: ${packages.join(', ')} (${failure}). Any one of these helps:\n` +
    '  - start Docker\n' +
    `  - install them: apt-get install ${packages.join(' ')}, or brew install redis rabbitmq\n` +
    '  - point TEST_DATABASE_URL, TEST_AMQP_URL and TEST_REDIS_URL at services you have'
  )
}

/** Returns why it was not possible, or undefined when it was. */
async function aptInstall(
  packages: readonly string[],
  log: ProgressLog,
): Promise<string | undefined> {
  if ((await findProgramIn(['/usr/bin', ...pathFolders()], 'apt-get')) === undefined)
    return 'this system has no apt-get'
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (sudo.length > 0 && !(await succeeds([...sudo, 'true']))) {
    return 'not root, and sudo wants a password'
  }
  log.info(
    { packages: packages.join(' ') },
    'installing with apt-get; this takes minutes the first time',
  )
  const restorePolicy = sudo.length === 0 ? await keepServicesFromStarting() : undefined
  try {
    const apt = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-y', '-q']
    await succeeds([...apt, 'update'])
    const installed = await succeeds([...apt, 'install', '--no-install-recommends', ...packages])
    return installed ? undefined : 'apt-get install failed, see above'
  } finally {
    await restorePolicy?.()
  }
}

/** Leaves a policy that is there already alone. As an ordinary user it is not worth more sudo: the services are ignored anyhow. */
async function keepServicesFromStarting(): Promise<(() => Promise<void>) | undefined> {
  const policy =
    '#!/bin/sh\n# Written by the tests of Bidmesh while they install packages.\nexit 101\n'
  try {
    await writeFile(policyFile, policy, { flag: 'wx', mode: 0o755 })
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return undefined
    throw error
  }
  return async () => {
    if ((await readFile(policyFile, 'utf8')) === policy) await rm(policyFile)
  }
}

/** Runs a command with its output on stderr; false when it fails or does not exist. */
async function succeeds(command: readonly string[]): Promise<boolean> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 2, 2] })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  child.once('error', () => resolve(false))
  child.once('exit', (code) => resolve(code === 0))
  return await promise
}
