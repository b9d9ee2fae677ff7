import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidSchema,
  type Item,
  ItemSchema,
  ItemStatus,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { expect, it } from 'vitest'
import { groupByItem, ofStanding, standingOf, toMyBid } from './my-bids.ts'

const bid = (itemId: string, amount: bigint, ms: number) =>
  create(BidSchema, { itemId, amount, createdAt: timestampFromMs(ms) })

type Fields = Exclude<MessageInitShape<typeof ItemSchema>, Item>

const item = (fields: Fields) =>
  create(ItemSchema, { status: ItemStatus.ACTIVE, highestBidderId: 'ann', ...fields })

it('groups bids by item, the last bid on first', () => {
  const bids = [bid('desk', 300n, 30), bid('lamp', 900n, 20), bid('desk', 100n, 10)]
  expect(groupByItem(bids)).toEqual([
    { itemId: 'desk', count: 2, highest: 300n, lastMs: 30 },
    { itemId: 'lamp', count: 1, highest: 900n, lastMs: 20 },
  ])
  expect(groupByItem([])).toEqual([])
})

it.each([
  ['leading', {}],
  ['outbid', { highestBidderId: 'bob' }],
  ['won', { status: ItemStatus.ENDED, outcome: ItemOutcome.SOLD }],
  ['lost', { status: ItemStatus.ENDED, outcome: ItemOutcome.SOLD, highestBidderId: 'bob' }],
  ['lost', { status: ItemStatus.ENDED, outcome: ItemOutcome.UNSOLD }],
  ['lost', { status: ItemStatus.CANCELLED }],
] as const)('says %s of %j', (standing, fields) => {
  expect(standingOf(item(fields), 'ann')).toBe(standing)
})

it('believes the item when it knows of a higher bid of the user', () => {
  const bids = { itemId: 'desk', count: 1, highest: 100n, lastMs: 0 }
  const of = (fields: Fields) => toMyBid(item(fields), bids, 'ann').bids.highest
  expect(of({ currentHighestBid: 150n })).toBe(150n)
  expect(of({ currentHighestBid: 150n, highestBidderId: 'bob' })).toBe(100n)
})

it('sorts what is open by the next end, what is over by the last', () => {
  const at = (id: string, ms: number, fields: Fields = {}) => {
    const bids = { itemId: id, count: 1, highest: 1n, lastMs: 0 }
    return toMyBid(item({ id, endAt: timestampFromMs(ms), ...fields }), bids, 'ann')
  }
  const won = { status: ItemStatus.ENDED, outcome: ItemOutcome.SOLD }
  const all = [at('b', 2), at('a', 1), at('c', 3, won), at('d', 4, won)]
  expect(ofStanding(all, 'leading').map((one) => one.item.id)).toEqual(['a', 'b'])
  expect(ofStanding(all, 'won').map((one) => one.item.id)).toEqual(['d', 'c'])
  expect(ofStanding(all, 'lost')).toEqual([])
})
