/** What an attack may cost: pure rules over what was measured. */
import type { ServerMemory } from './server-memory.ts'

/** Objects and buffers that one attack may add, by the default budgets of the server. */
export const GROWTH_MAX_BYTES = 64 * 1024 * 1024
/** The same with what the allocator keeps of what was garbage: a second attack finds it there and adds nothing. */
export const RESIDENT_GROWTH_MAX_BYTES = 3 * GROWTH_MAX_BYTES
/** Of what JavaScript uses, afterwards: caches, code, the items and users of the attack. */
export const KEPT_MAX_BYTES = 8 * 1024 * 1024

/** Honest bids: at most twice as slow as before, or so fast that nobody notices. */
export const SLOWER_MAX = 2
export const UNNOTICED_MS = 50

export type Measured = {
  /** Before, the highest of each beside the attack, and after it. */
  memory: { before: ServerMemory; worst: ServerMemory; after: ServerMemory }
  /** p99 of honest bids. */
  honest: { beforeMs: number; duringMs: number; afterMs: number }
  /** Honest bids that were not decided, before, during and after. */
  failed: Record<string, number>
}

export function isGivenBack({ before, after }: Omit<Measured['memory'], 'worst'>): boolean {
  return (
    after.inUseBytes - before.inUseBytes < KEPT_MAX_BYTES &&
    after.residentBytes - before.residentBytes < RESIDENT_GROWTH_MAX_BYTES
  )
}

export function isSlow({ beforeMs, duringMs }: Measured['honest']): boolean {
  return !(duringMs <= Math.max(SLOWER_MAX * beforeMs, UNNOTICED_MS))
}

/** What was not held, in words; empty when all was. */
export function shortcomings({ memory, honest, failed }: Measured): string[] {
  const { before, worst } = memory
  const found: string[] = []
  const isWithin =
    worst.inUseBytes - before.inUseBytes < GROWTH_MAX_BYTES &&
    worst.residentBytes - before.residentBytes < RESIDENT_GROWTH_MAX_BYTES
  if (!isWithin) found.push('memory')
  if (!isGivenBack(memory)) found.push('not given back')
  if (isSlow(honest)) found.push('slow')
  const lost = Object.entries(failed).map(([code, count]) => `${count} bids ${code}`)
  return [...found, ...lost]
}
