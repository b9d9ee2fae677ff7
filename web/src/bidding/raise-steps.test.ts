import { describe, expect, it } from 'vitest'
import { raiseSteps } from './raise-steps.ts'

describe('raiseSteps', () => {
  it.each([
    // current, minimum, own increment, steps
    [90_000n, 91_000n, 0n, [91_000n, 92_000n, 95_000n, 100_000n]],
    [132_500n, 135_000n, 0n, [135_000n, 140_000n, 150_000n, 200_000n]],
    [0n, 10_000n, 0n, [10_000n, 10_500n, 12_500n, 15_000n]],
    [0n, 100n, 7n, [100n, 110n, 150n, 200n]],
    [1_000n, 1_333n, 333n, [1_333n, 2_000n, 2_500n, 5_000n]],
    [0n, 1n, 0n, [1n, 2n, 5n, 10n]],
  ])(
    'from %s with a minimum of %s',
    (currentHighestBid, minimumNextBid, minIncrement, expected) => {
      expect(raiseSteps({ currentHighestBid, minimumNextBid, minIncrement })).toEqual(expected)
    },
  )

  it('rises from the minimum, whatever the price', () => {
    for (let current = 1n; current < 10n ** 12n; current = current * 3n + 7n) {
      for (const increment of [1n, 5n, 33n, 2_500n]) {
        const minimumNextBid = current + increment
        const steps = raiseSteps({ currentHighestBid: current, minimumNextBid, minIncrement: 0n })
        expect(steps[0]).toBe(minimumNextBid)
        expect(steps).toHaveLength(4)
        expect(steps.every((step, at) => at === 0 || step > (steps[at - 1] ?? step))).toBe(true)
      }
    }
  })

  it('offers nothing that is more than a bid may be', () => {
    const most = 10n ** 15n
    const steps = raiseSteps({
      currentHighestBid: most - 1n,
      minimumNextBid: most,
      minIncrement: 0n,
    })
    expect(steps).toEqual([most])
  })
})
