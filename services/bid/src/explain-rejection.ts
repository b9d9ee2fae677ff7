/**
 * Gives a call that was rejected before it reached the rules (a field out of range, a malformed id), or that could
 * not be decided, the same error detail as those that the rules reject, so that clients read one thing only: a
 * `BidRejection` of bids, an `ErrorInfo` of changes of items.
 */
import type { DescMethod } from '@bufbuild/protobuf'
import { BidRejectionSchema, BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ErrorInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import type { ExplainError } from '@bidmesh/platform/process/component.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { bidRejection, changeFailed, changeRejection, reasonOfFailure } from './errors.ts'

const { placeBid, createItem, updateItem, cancelItem, extendItem, endItemNow } = BidService.method
const changes: ReadonlySet<DescMethod> = new Set([
  createItem,
  updateItem,
  cancelItem,
  extendItem,
  endItemNow,
])

export const explainRejection: ExplainError = (method, error) => {
  if (method === placeBid) return explainBid(error)
  return changes.has(method) ? explainChange(error) : error
}

function explainBid(error: unknown): unknown {
  if (isInvalid(error) && error.findDetails(BidRejectionSchema).length === 0) {
    error.details.push(bidRejection('invalid_request'))
  }
  return error
}

function explainChange(error: unknown): unknown {
  if (isInvalid(error) && error.findDetails(ErrorInfoSchema).length === 0) {
    error.details.push(changeRejection('invalid_request'))
  }
  const reason = reasonOfFailure(error)
  return reason ? changeFailed(reason, error) : error
}

function isInvalid(error: unknown): error is ConnectError {
  return error instanceof ConnectError && error.code === Code.InvalidArgument
}
