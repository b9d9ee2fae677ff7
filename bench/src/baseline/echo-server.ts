/**
 * The ceiling the lanes are held against: the bare Connect unary stack in one process. PlaceBid answers
 * a constant from memory, of the same size as a real answer; no interceptors, no validation, no database.
 */
import { randomUUIDv7 } from 'node:crypto'
import { createServer } from 'node:http'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { BidService, PlaceBidResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { connectNodeAdapter } from '@connectrpc/connect-node'

const now = timestampFromMs(Date.now())
const answer = create(PlaceBidResponseSchema, {
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

const server = createServer(
  connectNodeAdapter({
    routes: (router) => router.service(BidService, { placeBid: () => answer }),
    fallback: (_request, response) => response.end('ready'),
  }),
)
server.listen(Number(process.env['PORT']), '127.0.0.1')
process.once('disconnect', () => process.exit(0))
