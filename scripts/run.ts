/** Runs a program of `node_modules/.bin` (or of the PATH) for the scripts beside this file. */
import { spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'

export const root = join(import.meta.dirname, '..')

const env = {
  ...process.env,
  PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
}

/** Shows the program's output; ends this process with its code when that is not 0. */
export function run(program: string, args: readonly string[]): void {
  const { status, error } = spawnSync(program, args, { cwd: root, env, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/** The program's standard output, and whether it ended well. */
export function capture(program: string, args: readonly string[]): { ok: boolean; text: string } {
  const { status, stdout } = spawnSync(program, args, { cwd: root, env, encoding: 'utf8' })
  return { ok: status === 0, text: stdout ?? '' }
}
