/** Every deployment is replaced, twice, and every bid is decided all the same. */
import { setTimeout as sleep } from 'node:timers/promises'
import { bidsFlow, underLoad, words } from './cluster-load.ts'
import { type ClusterWorld, installChart, release } from './cluster-world.ts'
import { command } from './command.ts'

/** Bids at a steady pace before and after. */
const quietMs = 5_000

/** Upgrade from the first version of the chart to this one, back, and here again. */
export async function roll(world: ClusterWorld): Promise<string> {
  const times: string[] = []
  const report = await underLoad(world, async (load) => {
    const timed = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      await sleep(quietMs)
      load.takePauseMs()
      const startedMs = performance.now()
      await work()
      const seconds = Math.round((performance.now() - startedMs) / 1_000)
      await bidsFlow(load)
      times.push(`${name} ${seconds} s (longest pause ${load.takePauseMs()} ms)`)
    }
    const change = () =>
      installChart(world, 'helm', `defaults.podAnnotations.rolled=at-${Date.now()}`)
    await timed('upgrade', change)
    await timed('rollback', () =>
      command('helm', [
        'rollback',
        release,
        '--namespace',
        world.namespace,
        '--wait',
        '--timeout',
        '15m',
      ]),
    )
    await timed('upgrade', change)
  })
  return `${times.join(', ')}; ${words(report)}`
}
