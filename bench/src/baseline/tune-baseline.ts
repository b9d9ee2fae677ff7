/**
 * Finds the pool size that serves the baseline best: one transaction per bid is to lose for what it is, not
 * for how it was set up.
 */
import { once } from 'node:events'
import type { BaselineSettings } from './baseline-server.ts'
import { acceptedPerSecond, runOn, type RunOptions } from '../rounds.ts'
import type { Target } from '../target.ts'
import type { World } from '../world.ts'

const poolSizes = [1, 2, 4, 8, 16, 32] as const
/** Twice each, the better one counts: a single short load may meet a busy moment of the machine. */
const trials = 2
const trialMs = 700
const trialWarmUpMs = 300

export type TunedBaseline = Target & { poolSize: number }

/**
 * Tries every size with a short load, and returns the baseline set to the best of them.
 *
 * @param pipelined false: the variant `plain`, with a round trip per statement
 */
export async function tuneBaseline(
  world: World,
  baseline: Target,
  pipelined: boolean,
  load: Pick<RunOptions, 'bidders' | 'sight'>,
): Promise<TunedBaseline> {
  const name = pipelined ? 'baseline' : 'plain'
  const options = { ...load, measureMs: trialMs, warmUpMs: trialWarmUpMs }
  const bySize = new Map<number, number>(poolSizes.map((size) => [size, 0]))
  for (let trial = 0; trial < trials; trial += 1) {
    for (const [poolSize, best] of bySize) {
      await set(baseline, { poolSize, pipelined })
      const result = await runOn(world, baseline, options)
      bySize.set(poolSize, Math.max(best, Math.round(acceptedPerSecond(result))))
    }
  }
  const [poolSize] = [...bySize].reduce((a, b) => (b[1] > a[1] ? b : a))
  world.log.info(
    Object.fromEntries(bySize),
    `${name}: best with ${poolSize} connections; accepted/s by connections`,
  )
  return { ...baseline, name, poolSize, prepare: () => set(baseline, { poolSize, pipelined }) }
}

async function set({ server }: Target, settings: BaselineSettings): Promise<void> {
  const answered = once(server.child, 'message')
  server.child.send(settings)
  await answered
}
