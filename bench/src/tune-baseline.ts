/**
 * Finds the pool size that serves the baseline best: one transaction per bid is to lose for what it is, not
 * for how it was set up.
 */
import { once } from 'node:events'
import type { BaselineSettings } from './baseline-server.ts'
import { acceptedPerSecond, runOn, type RunOptions } from './rounds.ts'
import type { Target } from './target.ts'
import type { World } from './world.ts'

const poolSizes = [1, 2, 4, 8, 16, 32] as const
const trialMs = 1_000
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
  const tried: { poolSize: number; perSecond: number }[] = []
  for (const poolSize of poolSizes) {
    await set(baseline, { poolSize, pipelined })
    const result = await runOn(world, baseline, options)
    tried.push({ poolSize, perSecond: Math.round(acceptedPerSecond(result)) })
  }
  const { poolSize } = tried.reduce((a, b) => (b.perSecond > a.perSecond ? b : a))
  const bySize = Object.fromEntries(tried.map((each) => [each.poolSize, each.perSecond]))
  world.log.info(bySize, `${name}: best with ${poolSize} connections; accepted/s by connections`)
  return { ...baseline, name, poolSize, prepare: () => set(baseline, { poolSize, pipelined }) }
}

async function set({ server }: Target, settings: BaselineSettings): Promise<void> {
  const answered = once(server.child, 'message')
  server.child.send(settings)
  await answered
}
