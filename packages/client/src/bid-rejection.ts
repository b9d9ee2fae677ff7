/** What an error says of a bid. */
import { type BidRejection, BidRejectionSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ConnectError } from '@connectrpc/connect'

/** Why a bid was rejected, and what would be accepted; undefined when the error says nothing of it. */
export function bidRejectionOf(error: unknown): BidRejection | undefined {
  return ConnectError.from(error).findDetails(BidRejectionSchema)[0]
}
