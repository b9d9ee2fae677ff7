/** What an attack may cost: pure rules over what was measured. */

/** Memory one attack may add, by the default budgets of the server; the rest of it is V8's own coming and going. */
export const GROWTH_MAX_BYTES = 64 * 1024 * 1024

/** Honest bids: at most twice as slow as before, or so fast that nobody notices. */
export const SLOWER_MAX = 2
export const UNNOTICED_MS = 50

export type Measured = {
  memory: { beforeBytes: number; peakBytes: number; afterBytes: number }
  /** p99 of honest bids. */
  honest: { beforeMs: number; duringMs: number; afterMs: number }
  /** Honest bids that were not decided, before, during and after. */
  failed: Record<string, number>
}

/** What was not held, in words; empty when all was. */
export function shortcomings({ memory, honest, failed }: Measured): string[] {
  const found: string[] = []
  if (!(memory.peakBytes - memory.beforeBytes < GROWTH_MAX_BYTES)) found.push('memory')
  if (!(memory.afterBytes - memory.beforeBytes < GROWTH_MAX_BYTES / 2)) found.push('not given back')
  if (!(honest.duringMs <= Math.max(SLOWER_MAX * honest.beforeMs, UNNOTICED_MS))) found.push('slow')
  const lost = Object.entries(failed).map(([code, count]) => `${count} bids ${code}`)
  return [...found, ...lost]
}
