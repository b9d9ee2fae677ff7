import { describe, expect, it } from 'vitest'
import { BID_MAX_MINOR, readBid } from './bid-amount.ts'
import { moneyText } from '../ui/money-text.ts'

const item = { minimumNextBid: 1_250n, currency: 'EUR' }
const text = (minor: bigint): string => moneyText(minor, item.currency)

describe('readBid', () => {
  it.each([
    [text(1_249n), /too low/i],
    ['nothing', /12\D50/],
    ['12.3456', /at most 2 digits/],
    [text(BID_MAX_MINOR + 1n), /at most|such as/i],
  ])('of %s', (typed, words) => {
    expect(readBid(typed, item).problem).toMatch(words)
  })

  it.each([1_250n, 9_999n, BID_MAX_MINOR / 10n])('has no problem with %s', (amount) => {
    expect(readBid(text(amount), item)).toEqual({ amount })
  })
})
