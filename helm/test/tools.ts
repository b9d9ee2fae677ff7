/**
 * The programs of these tests, and what Kubernetes says its objects look like, all from Go modules: the one
 * registry that has them for every machine. Kept in `.tools/` under names with their versions, so that only the
 * first run takes minutes.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')
const directory = join(root, '.tools')

const programs = {
  helm: { module: 'helm.sh/helm/v4/cmd/helm', version: 'v4.3.1' },
  kubeconform: { module: 'github.com/yannh/kubeconform/cmd/kubeconform', version: 'v0.8.0' },
} as const

/** Compiling helm takes two minutes on two cores, and much longer on busy ones. */
const INSTALL_LIMIT_MS = 20 * 60_000

export type Program = keyof typeof programs

/** The program's path; it may not be there yet. */
export function pathOf(program: Program): string {
  return join(directory, `${program}-${programs[program].version}`, program)
}

/** A place for something that is made once for each version of it. */
export function placeOf(name: string): string {
  return join(directory, name)
}

/** Vitest's global set-up of the project. */
export function setup(): void {
  for (const [name, { module, version }] of Object.entries(programs)) {
    const folder = join(directory, `${name}-${version}`)
    if (existsSync(join(folder, name))) continue
    process.stdout.write(`Installing ${name} ${version}, once …\n`)
    mkdirSync(folder, { recursive: true })
    go(['install', `${module}@${version}`], { GOBIN: folder })
  }
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
    throw new Error(
      'make test-helm installs its programs with Go, 1.26 or newer: https://go.dev/dl',
    )
  }
  if (error) throw error
  if (status !== 0) throw new Error(`go ${args.join(' ')}: ${stderr}${stdout}`)
  return stdout
}
