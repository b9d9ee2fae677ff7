/**
 * Gives a PlaceBid that was refused before it reached the service (a field out of range, a malformed id)
 * the same error detail as every other refused bid, so that clients read one thing only.
 */
import { create } from '@bufbuild/protobuf'
import {
  BidRejectionReason,
  BidRejectionSchema,
  BidService,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Code, ConnectError, type Interceptor } from '@connectrpc/connect'

export const explainRefusal: Interceptor = (next) => {
  return async (request) => {
    if (request.method !== BidService.method.placeBid) return await next(request)
    try {
      return await next(request)
    } catch (error) {
      if (
        error instanceof ConnectError &&
        error.code === Code.InvalidArgument &&
        error.findDetails(BidRejectionSchema).length === 0
      ) {
        const reason = BidRejectionReason.INVALID_REQUEST
        error.details.push({
          desc: BidRejectionSchema,
          value: create(BidRejectionSchema, { reason }),
        })
      }
      throw error
    }
  }
}
