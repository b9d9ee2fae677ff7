import { describe, expect, it } from 'vitest'
import { amountProblem, BID_MAX_MINOR } from './bid-amount.ts'

const item = { minimumNextBid: 1_250n, currency: 'EUR' }

describe('amountProblem', () => {
  it.each([
    [1_249n, /too low/i],
    [undefined, /12\.50/],
    [BID_MAX_MINOR + 1n, /at most/i],
  ])('of %s', (amount, words) => {
    expect(amountProblem(amount, item)).toMatch(words)
  })

  it.each([1_250n, 9_999n, BID_MAX_MINOR])('is none of %s', (amount) => {
    expect(amountProblem(amount, item)).toBeUndefined()
  })
})
