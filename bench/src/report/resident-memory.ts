/** Memory that a process holds (RSS), by Linux's /proc; elsewhere it stays unknown. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const readEveryMs = 500

/**
 * Lowest reading of a span of time, in bytes: what is garbage now and then is not held. NaN when unknown.
 * A process that does nothing collects none, so all that its start or its newcomers left behind counts.
 */
export async function lowestResidentBytes(pid: number, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs
  let lowest = await readResidentBytes(pid)
  while (performance.now() < endMs) {
    await sleep(readEveryMs)
    lowest = Math.min(lowest, await readResidentBytes(pid))
  }
  return lowest
}

/** As it is now, in bytes. NaN when unknown. */
export async function readResidentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1_024
}
