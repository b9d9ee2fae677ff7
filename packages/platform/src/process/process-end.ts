/**
 * Ends processes that need not be our children (an adopted Postgres, a RabbitMQ under its start script)
 * and waits until they are gone. A zombie counts as gone: its parent may be a container's PID 1 that
 * never reaps.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from './errors.ts'

/** How often a process is looked at: short, since stopping is on the way of every restart and test. */
const pollIntervalMs = 10

/** Sends a signal to a process, or to a group by its negative id; false when there is none. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false
    // Another user's process: it is there, and a real signal to it is the caller's mistake.
    if (errorCode(error) === 'EPERM' && signal === 0) return true
    throw error
  }
}

/** True while the process exists and has not become a zombie. */
export function isRunning(pid: number): boolean {
  if (!sendSignal(pid, 0)) return false
  if (process.platform !== 'linux') return true
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The state follows the command name, which is in parentheses and may itself contain some.
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}

/** Waits until the process is gone; false when it is still there after `limitMs`. */
export async function waitForEnd(pid: number, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs
  while (isRunning(pid)) {
    if (performance.now() > deadline) return false
    await sleep(pollIntervalMs)
  }
  return true
}

/**
 * Sends each signal in turn until the process is gone, giving it `limitMs` after each.
 * Throws when it outlives them all.
 */
export async function endProcess(
  pid: number,
  steps: readonly { signal: NodeJS.Signals; limitMs: number }[],
): Promise<void> {
  for (const { signal, limitMs } of steps) {
    if (!sendSignal(pid, signal) || (await waitForEnd(pid, limitMs))) return
  }
  throw new Error(
    `process ${pid} is still there after ${steps.map((step) => step.signal).join(', ')}`,
  )
}
