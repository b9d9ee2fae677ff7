/** The highest memory of a process over a span of time, by Linux's /proc. */
import { readResidentBytes } from '@bidmesh/bench/resident-memory.ts'

const READ_EVERY_MS = 50

/** Starts looking; the returned function stops and returns the peak in bytes. */
export function watchMemory(pid: number): () => Promise<number> {
  let peak = 0
  const look = async (): Promise<void> => {
    const now = await readResidentBytes(pid)
    if (now > peak) peak = now
  }
  const timer = setInterval(() => void look(), READ_EVERY_MS)
  return async () => {
    clearInterval(timer)
    await look()
    return peak
  }
}
