/** What the targets that decide nothing answer: the acceptance of one bid, of the size of a real answer. */
import { randomUUIDv7 } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { PlaceBidResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'

const now = timestampFromMs(Date.now())

export const constantAnswer = create(PlaceBidResponseSchema, {
  bid: {
    id: randomUUIDv7(),
    itemId: randomUUIDv7(),
    userId: 'bidder-100',
    amount: 123_456n,
    createdAt: now,
    sequence: 123_456n,
  },
  currentHighestBid: 123_456n,
  minimumNextBid: 123_457n,
  endAt: now,
})
