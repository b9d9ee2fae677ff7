/**
 * Fault tests as a series: FAULT_ROUNDS rounds of each fault (1) on one stack, each a test with its seed as
 * its name. `SEED=<seed>` plays that one round of each again: its moments, not the machine's. A round that fails
 * leaves its stack behind, broken perhaps, and the next one gets another.
 */
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type Fault, type FaultWorld, playRound } from './fault-round.ts'
import { faultSeeds, startLimitMs } from './fault-seeds.ts'
import { startPrivateStack } from '../private-stack.ts'

const seeds = faultSeeds(1)

/** Declares the tests of these faults, in order, on a stack of their own. */
export function faultSeries(faults: readonly Fault[]): void {
  let world: FaultWorld | undefined
  const stop = async (): Promise<void> => {
    const stopped = world
    world = undefined
    await stopped?.stop()
  }
  beforeEach(async () => {
    world ??= { ...(await startPrivateStack()), ledger: [] }
  }, startLimitMs)
  afterAll(stop, startLimitMs)

  describe.each([...faults])('$name', (fault) => {
    test.each(seeds)('SEED=%i', async (seed) => {
      if (world === undefined) throw new Error('there is no stack')
      try {
        expect(await playRound(world, fault, seed)).toBeGreaterThan(0)
      } catch (error) {
        console.error(world.lastLines.join('\n'))
        await stop()
        throw error
      }
    })
  })
}
