/**
 * Programs that are made with Go, from modules: the one registry that has them for every machine. Kept in
 * `.tools/` under names with their versions, so that only the first run takes minutes.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.ts'

const directory = join(root, '.tools')

/** Compiling helm takes two minutes on two cores, and much longer on busy ones. */
const INSTALL_LIMIT_MS = 20 * 60_000

/** @property module the path of the program's package */
export type GoProgram = { name: string; module: string; version: string }

/** The program's path; it may not be there yet. */
export function pathOfProgram({ name, version }: GoProgram): string {
  return join(placeOf(`${name}-${version}`), name)
}

/** A place for something that is made once for each version of it. */
export function placeOf(name: string): string {
  return join(directory, name)
}

/** Once; says so, because it takes its time. */
export function installProgram(program: GoProgram): void {
  const { name, module, version } = program
  if (existsSync(pathOfProgram(program))) return
  process.stdout.write(`Installing ${name} ${version}, once …\n`)
  const folder = placeOf(`${name}-${version}`)
  mkdirSync(folder, { recursive: true })
  go(['install', `${module}@${version}`], { GOBIN: folder })
}

/** The folder of a module's sources, fetched when it is not there. */
export function moduleFolder(module: string): string {
  const answer: { Dir: string } = JSON.parse(go(['mod', 'download', '-json', module]))
  return answer.Dir
}

function go(args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr, error } = spawnSync('go', args, {
    // Outside of any module of the machine's owner.
    cwd: directory,
    env: { ...process.env, GOFLAGS: '-buildvcs=false', ...env },
    encoding: 'utf8',
    timeout: INSTALL_LIMIT_MS,
  })
  if (error && 'code' in error && error.code === 'ENOENT') {
    throw new Error('the programs of this test are made with Go, 1.26 or newer: https://go.dev/dl')
  }
  if (error) throw error
  if (status !== 0) throw new Error(`go ${args.join(' ')}: ${stderr}${stdout}`)
  return stdout
}
