import { describe, expect, it } from 'vitest'
import { isHighBid, timesMinimum } from './high-bid.ts'
import { raiseSteps } from './raise-steps.ts'

function item(minimumNextBid: bigint, currency = 'EUR') {
  return { minimumNextBid, currency, currentHighestBid: 0n, minIncrement: 0n }
}

describe('a high bid', () => {
  it.each<[currency: string, minimum: bigint, amount: bigint, high: boolean]>([
    ['EUR', 11_000n, 11_000n, false],
    ['EUR', 11_000n, 22_000n, false],
    ['EUR', 11_000n, 22_001n, true],
    ['EUR', 11_000n, 110_000n, true],
    // Less than twice, but a thousand euros above.
    ['EUR', 500_000n, 599_999n, false],
    ['EUR', 500_000n, 600_001n, true],
    ['JPY', 500_000n, 600_001n, false],
    ['JPY', 500_000n, 650_001n, true],
    ['BHD', 500_000n, 999_999n, false],
    ['BHD', 500_000n, 1_000_001n, true],
    ['EUR', 1n, 3n, true],
  ])('of %s with a minimum of %s: %s', (currency, minimum, amount, high) => {
    expect(isHighBid(amount, item(minimum, currency))).toBe(high)
  })

  it('is none that the page offers', () => {
    const cheap = item(1n)
    expect(raiseSteps(cheap)).toContain(10n)
    expect(isHighBid(10n, cheap)).toBe(false)
  })

  it('is told in words', () => {
    expect(timesMinimum(99_999n, 11_000n)).toBe('9 times')
    expect(timesMinimum(27_500n, 11_000n)).toBe(`${new Intl.NumberFormat().format(2.5)} times`)
    expect(timesMinimum(10n ** 9n, 100n)).toBe(`${new Intl.NumberFormat().format(10n ** 7n)} times`)
  })
})
