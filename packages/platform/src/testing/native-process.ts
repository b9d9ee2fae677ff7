/**
 * Starts a server as a process group of its own, with its output in a file, and waits until it answers.
 * A group, so that Ctrl-C passes it by and one signal reaches its helpers too.
 */
import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../process/errors.ts'
import { isRunning } from '../process/process-end.ts'

/** Erlang on a busy small machine is the slowest that has to be waited for. */
const startLimitMs = 90_000
const lookIntervalMs = 50
/** How much of the output a failed start shows. */
const shownOutputChars = 2_000

export type NativeProcess = {
  file: string
  args: readonly string[]
  env: NodeJS.ProcessEnv
  /** Where its output goes, after what is there. */
  logFile: string
  /** Resolves when the server answers; rejects while it does not yet. */
  check: () => Promise<void>
}

/** Returns the process's id, which is its group's. `spawned` learns it before the server answers. */
export async function startNativeProcess(
  { file, args, env, logFile, check }: NativeProcess,
  spawned: (pid: number) => Promise<void>,
): Promise<number> {
  await using log = await open(logFile, 'a')
  const child = spawn(file, args, {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env,
    cwd: '/',
  })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  child.once('spawn', () => resolve(child.pid ?? 0))
  child.once('error', reject)
  const pid = await promise
  child.unref()
  await spawned(pid)
  const deadline = performance.now() + startLimitMs
  for (;;) {
    try {
      await check()
      return pid
    } catch (error) {
      if (!isRunning(pid) || performance.now() > deadline) {
        const output = (await readFile(logFile, 'utf8')).slice(-shownOutputChars)
        throw new Error(`${file} did not start: ${messageOf(error)}\n${output}`, { cause: error })
      }
    }
    await sleep(lookIntervalMs)
  }
}
