import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { botName, newBotItem, titleCount, worthOf } from './bot-catalogue.ts'
import { decideBotBid, isSniper, type Offer, pickByUrgency, privateLimit } from './bot-decisions.ts'

const nowMs = Date.UTC(2026, 0, 1)

function offer(fields: Partial<Offer> & { endsInMs?: number } = {}): Offer {
  const { endsInMs = 60_000, ...rest } = fields
  return {
    id: '0193a1b2-0000-7000-8000-000000000001',
    title: 'Moka pot, three cups, 1958',
    sellerId: 'nadia',
    currentHighestBid: 0n,
    minimumNextBid: 200n,
    highestBidderId: '',
    endAt: timestampFromMs(nowMs + endsInMs),
    ...rest,
  }
}

const decide = (offers: Offer[], chance = () => 0.5, name = 'ada') =>
  decideBotBid(name, offers, nowMs, chance)

describe('a private limit', () => {
  it('stays the same, differs between bots, and goes by what a thing is worth', () => {
    const names = Array.from({ length: 200 }, (_, index) => botName(index))
    const limits = names.map((name) => privateLimit(name, offer()))
    expect(names.map((name) => privateLimit(name, offer({ minimumNextBid: 9n })))).toEqual(limits)
    expect(new Set(limits).size).toBeGreaterThan(50)
    const worth = worthOf(offer().title)
    const above = limits.filter((limit) => limit > worth).length
    expect(above).toBeGreaterThan(10)
    expect(above).toBeLessThan(100)
    for (const limit of limits) expect(limit).toBeLessThanOrEqual((worth * 3n) / 2n)
  })
})

describe('a bid', () => {
  it('is the minimum, or a few steps more', () => {
    const item = offer({
      title: 'Sideboard, rosewood, 1961',
      currentHighestBid: 1_000n,
      minimumNextBid: 1_050n,
    })
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
    ['beyond the limit', { minimumNextBid: 1_401n, currentHighestBid: 1_400n }],
  ])('is not placed on an item %s', (_, fields) => {
    expect(decide([offer(fields)])).toBeUndefined()
    expect(decide([offer(fields), offer({ id: 'other' })])?.itemId).toBe('other')
  })

  it('comes in the last moments from snipers, and at any time from others', () => {
    const names = Array.from({ length: 200 }, (_, index) => botName(index))
    const snipers = names.filter(isSniper)
    expect(snipers.length).toBeGreaterThan(15)
    expect(snipers.length).toBeLessThan(60)
    const bidders = (endsInMs: number) =>
      names.filter((name) => decide([offer({ minimumNextBid: 1n, endsInMs })], undefined, name))
    expect(bidders(31_000)).toEqual(names.filter((name) => !isSniper(name)))
    expect(bidders(29_000)).toEqual(names)
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

  it('has more titles than 200 bots put up in an hour: 30 of two to eight minutes at a time', () => {
    expect(titleCount).toBeGreaterThan((30 * 60) / 2)
    const items = Array.from({ length: 500 }, () => newBotItem(Math.random))
    expect(new Set(items.map(({ title }) => title)).size).toBeGreaterThan(400)
    for (const { startPrice } of items) expect(startPrice).toBeGreaterThan(0n)
    const tooDear = items.filter(({ title, startPrice }) => startPrice > (worthOf(title) * 3n) / 2n)
    expect(tooDear.length).toBeGreaterThan(20)
    expect(tooDear.length).toBeLessThan(150)
  })
})
