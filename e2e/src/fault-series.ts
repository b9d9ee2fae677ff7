/**
 * Fault tests as a series: FAULT_ROUNDS rounds of each fault (2) on one stack, each a test with its seed as
 * its name. `SEED=<seed>` plays that one round of each again: its moments, not the machine's.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fault, type FaultWorld, playRound } from './fault-round.ts'
import { startPrivateStack } from './private-stack.ts'

/** A start of all services, on a machine that other tests keep busy. */
const startLimitMs = 180_000

const { SEED, FAULT_ROUNDS = '2' } = process.env
const firstSeed = Math.floor(Math.random() * 1_000_000)
const seeds = SEED
  ? [Number(SEED)]
  : Array.from({ length: Number(FAULT_ROUNDS) }, (_, round) => firstSeed + round)

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
