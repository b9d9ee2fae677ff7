/**
 * Fault tests as a series: each fault so many rounds on one stack, FAULT_ROUNDS of each (2), each round a
 * test whose name has its seed. The seeds come from SEED, or at random: `SEED=<seed> FAULT_ROUNDS=1` plays
 * the very round again (its moments, not the machine's).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fault, type FaultWorld, playRound } from './fault-round.ts'
import { startPrivateStack } from './private-stack.ts'

/** A start of all services, on a machine that other tests keep busy. */
const startLimitMs = 180_000

const rounds = Number(process.env['FAULT_ROUNDS'] ?? 2)
const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000))

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
    const seeds = Array.from({ length: rounds }, (_, round) => firstSeed + round)
    test.each(seeds)('SEED=%i', async (seed) => {
      expect(await playRound(world, fault, seed)).toBeGreaterThan(0)
    })
  })
}
