import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { ItemSchema, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { cardFacts } from './card-facts.ts'

const { ACTIVE, CANCELLED, ENDED, SCHEDULED } = ItemStatus
const bid = { currentHighestBid: 900n, highestBidderId: 'bob', bidCount: 2n }
const sold = { ...bid, status: ENDED, outcome: ItemOutcome.SOLD, hammerPrice: 900n }

function facts(item: MessageInitShape<typeof ItemSchema>, userId = 'ann') {
  return cardFacts(create(ItemSchema, { sellerId: 'cleo', startPrice: 500n, ...item }), userId)
}

describe('card facts', () => {
  it.each([
    ['open', { status: ACTIVE, ...bid }, 'ann', undefined],
    ['led by who looks', { status: ACTIVE, ...bid }, 'bob', 'You lead'],
    ['of who looks', { status: ACTIVE, ...bid }, 'cleo', 'Your item'],
    ['not yet open', { status: SCHEDULED }, 'cleo', 'Upcoming'],
    ['taken back', { status: CANCELLED }, 'ann', 'Cancelled'],
    ['sold', sold, 'ann', 'Sold'],
    ['won by who looks', sold, 'bob', 'You won'],
    ['left', { status: ENDED, outcome: ItemOutcome.UNSOLD }, 'ann', 'Not sold'],
    ['open and nobody leads, looked at by nobody', { status: ACTIVE, sellerId: '' }, '', undefined],
  ])('an item that is %s', (_, item, userId, label) => {
    expect(facts(item, userId).badge?.label).toBe(label)
  })

  it('names the price that counts', () => {
    expect(facts({ status: ACTIVE })).toMatchObject({ price: 500n, priceLabel: 'Starting price' })
    expect(facts({ ...bid })).toMatchObject({ price: 900n, priceLabel: 'Current bid' })
    expect(facts(sold)).toMatchObject({ price: 900n, priceLabel: 'Sold for' })
  })

  it('counts bids in words', () => {
    expect(facts({}).bids).toBe('No bids')
    expect(facts({ bidCount: 1n }).bids).toBe('1 bid')
    expect(facts({ bidCount: 12n }).bids).toBe('12 bids')
  })
})
