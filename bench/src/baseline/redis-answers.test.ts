import { fromJsonString } from '@bufbuild/protobuf'
import { PlaceBidResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { expect, it } from 'vitest'
import { readBidAnswer } from '../load/bid-call.ts'
import { acceptance, rejection } from './redis-answers.ts'

const itemId = '0199ff80-0000-7000-8000-000000000001'
const decision = { reason: '', price: 41, minimum: 42, endMs: 60_000, sequence: 3, atMs: 1_000 }

it('is a PlaceBidResponse when the bid was accepted', () => {
  const body = acceptance({ id: itemId, itemId, userId: 'ann', amount: '41' }, decision)
  expect(fromJsonString(PlaceBidResponseSchema, body)).toMatchObject({
    bid: { itemId, userId: 'ann', amount: 41n, sequence: 3n, createdAt: { seconds: 1n } },
    currentHighestBid: 41n,
    minimumNextBid: 42n,
    endAt: { seconds: 60n },
  })
  expect(readBidAnswer(200, body)).toMatchObject({ kind: 'accepted', bidId: itemId })
})

it.each(['TOO_LOW', 'OWN_ITEM', 'ENDED', 'CANCELLED', 'NOT_STARTED', 'ITEM_NOT_FOUND'])(
  'says %s as the bid service says it',
  (reason) => {
    const expected = { kind: 'rejected', reason: reason.toLowerCase(), minimumNextBid: 42 }
    expect(readBidAnswer(400, rejection({ ...decision, reason }))).toEqual(expected)
  },
)
