import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { botItems, botName } from './bot-catalogue.ts'
import { decideBotBid, type Offer, pickByUrgency, privateLimit } from './bot-decisions.ts'

const nowMs = Date.UTC(2026, 0, 1)

function offer(fields: Partial<Offer> & { endsInMs?: number } = {}): Offer {
  const { endsInMs = 60_000, ...rest } = fields
  return {
    id: '0193a1b2-0000-7000-8000-000000000001',
    sellerId: 'nadia',
    startPrice: 1_000n,
    currentHighestBid: 0n,
    minimumNextBid: 1_000n,
    highestBidderId: '',
    endAt: timestampFromMs(nowMs + endsInMs),
    ...rest,
  }
}

const decide = (offers: Offer[], chance = () => 0.5, name = 'ada') =>
  decideBotBid(name, offers, nowMs, chance)

describe('a private limit', () => {
  it('stays the same, differs between bots, and is worth at least the start', () => {
    const names = Array.from({ length: 200 }, (_, index) => botName(index))
    const limits = names.map((name) => privateLimit(name, offer()))
    expect(names.map((name) => privateLimit(name, offer()))).toEqual(limits)
    expect(new Set(limits).size).toBeGreaterThan(50)
    for (const limit of limits) {
      expect(limit).toBeGreaterThanOrEqual(1_100n)
      expect(limit).toBeLessThanOrEqual(4_000n)
    }
  })
})

describe('a bid', () => {
  it('is the minimum, or a few steps more', () => {
    const item = offer({ startPrice: 5_000n, currentHighestBid: 1_000n, minimumNextBid: 1_050n })
    expect(decide([item], () => 0.59)?.amount).toBe(1_050n)
    expect(decide([item], () => 0.61)?.amount).toBe(1_150n)
    expect(decide([item], () => 0.99)?.amount).toBe(1_200n)
  })

  it('is never above the limit, however large the step', () => {
    const limit = privateLimit('ada', offer())
    const near = { currentHighestBid: limit - 10n, minimumNextBid: limit - 1n }
    expect(decide([offer(near)], () => 0.99)?.amount).toBe(limit)
  })

  it.each([
    ['of their own', { sellerId: 'ada' }],
    ['they lead', { highestBidderId: 'ada' }],
    ['that is over', { endsInMs: 0 }],
    ['beyond the limit', { minimumNextBid: 4_001n, currentHighestBid: 4_000n }],
  ])('is not placed on an item %s', (_, fields) => {
    expect(decide([offer(fields)])).toBeUndefined()
    expect(decide([offer(fields), offer({ id: 'other' })])?.itemId).toBe('other')
  })

  it('goes to what ends soon far more often than to what ends next week', () => {
    const soon = offer({ id: 'soon', endsInMs: 30_000 })
    const late = offer({ id: 'late', endsInMs: 7 * 86_400_000 })
    const draws = Array.from({ length: 100 }, (_, index) => () => (index + 0.5) / 100)
    const picks = draws.map((chance) => pickByUrgency([late, soon], nowMs, chance)?.id)
    expect(picks.filter((id) => id === 'soon').length).toBeGreaterThan(98)
    expect(pickByUrgency([late], nowMs, () => 0.999)?.id).toBe('late')
    expect(pickByUrgency([], nowMs, () => 0.5)).toBeUndefined()
  })
})

describe('the catalogue', () => {
  it('has a name of its own for each bot', () => {
    const names = new Set(Array.from({ length: 200 }, (_, index) => botName(index)))
    expect(names.size).toBe(200)
  })

  it('has items of different titles and a price', () => {
    expect(new Set(botItems.map(({ title }) => title)).size).toBe(botItems.length)
    for (const { startPrice } of botItems) expect(startPrice).toBeGreaterThan(0n)
  })
})
