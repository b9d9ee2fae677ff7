/**
 * Fault tests as a series: FAULT_ROUNDS rounds of each fault (2) on one stack, each a test with its seed as
 * its name. `SEED=<seed>` plays that one round of each again: its moments, not the machine's.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fault, type FaultWorld, playRound } from './fault-round.ts'
import { faultSeeds, startLimitMs } from './fault-seeds.ts'
import { startPrivateStack } from './private-stack.ts'

const seeds = faultSeeds(2)

/** Declares the tests of these faults, in order, on a stack of their own. */
export function faultSeries(faults: readonly Fault[]): void {
  let world: FaultWorld
  beforeAll(async () => {
    world = { ...(await startPrivateStack()), ledger: [] }
  }, startLimitMs)
  afterAll(async () => {
    await world?.stop()
  }, startLimitMs)

  describe.each([...faults])('$name', (fault) => {
    test.each(seeds)('SEED=%i', async (seed) => {
      expect(await playRound(world, fault, seed)).toBeGreaterThan(0)
    })
  })
}
