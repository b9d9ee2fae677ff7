/**
 * Refusals as callers see them: one table from reason to Connect code, words and detail. Everything a
 * bid can be refused for is in it, and the compiler says so when a reason is missing.
 */
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidRejectionReason as Reason,
  BidRejectionSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { isContention, isUnavailable } from '@bidmesh/platform/errors.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { type ChangeRefusal, type Head, minimumNextBid, type Refusal } from './auction.ts'
import { HeldTooLongError, LaneFullError } from './lane-entry.ts'

/** Why a bid was not accepted: a rule, the item or the request, or the moment. */
export type BidRefusal =
  | Refusal
  | 'item_not_found'
  | 'invalid_request'
  | 'contention'
  | 'overloaded'
  | 'unavailable'

type Answer = { code: Code; reason: Reason; message: string }

const answers = {
  item_not_found: {
    code: Code.NotFound,
    reason: Reason.ITEM_NOT_FOUND,
    message: 'no item has this item_id',
  },
  invalid_request: {
    code: Code.InvalidArgument,
    reason: Reason.INVALID_REQUEST,
    message: 'the request is not valid',
  },
  too_low: {
    code: Code.FailedPrecondition,
    reason: Reason.TOO_LOW,
    message: 'the bid is too low: bid at least minimum_next_bid',
  },
  not_started: {
    code: Code.FailedPrecondition,
    reason: Reason.NOT_STARTED,
    message: 'the auction has not started yet',
  },
  ended: {
    code: Code.FailedPrecondition,
    reason: Reason.ENDED,
    message: 'the auction has ended',
  },
  cancelled: {
    code: Code.FailedPrecondition,
    reason: Reason.CANCELLED,
    message: 'the item was cancelled by its seller',
  },
  own_item: {
    code: Code.PermissionDenied,
    reason: Reason.OWN_ITEM,
    message: 'sellers cannot bid on their own items',
  },
  key_reused: {
    code: Code.AlreadyExists,
    reason: Reason.KEY_REUSED,
    message: 'this idempotency_key was used for another bid: choose a new key for a new bid',
  },
  contention: {
    code: Code.Aborted,
    reason: Reason.CONTENTION,
    message: 'the item is busy and the bid was not decided: send it again',
  },
  overloaded: {
    code: Code.ResourceExhausted,
    reason: Reason.OVERLOADED,
    message: 'too many bids are waiting and this one was not decided: send it again after a pause',
  },
  unavailable: {
    code: Code.Unavailable,
    reason: Reason.UNAVAILABLE,
    message:
      'the database is away or takes no changes now: send the bid again with the same idempotency_key',
  },
} as const satisfies Record<BidRefusal, Answer>

/**
 * The error that tells a caller why the bid was refused, with a `BidRejection` detail.
 *
 * @param head the item as it was when the bid was refused; absent when none was read
 */
export function bidRefused(refusal: BidRefusal, head?: Head, message?: string): ConnectError {
  const answer = answers[refusal]
  return new ConnectError(message ?? answer.message, answer.code, undefined, [
    { desc: BidRejectionSchema, value: create(BidRejectionSchema, rejection(answer.reason, head)) },
  ])
}

/** The same for a bid that failed to be decided. The cause is for the log and never sent. */
export function bidFailed(refusal: BidRefusal, cause: unknown): ConnectError {
  const error = bidRefused(refusal)
  error.cause = cause
  return error
}

function rejection(reason: Reason, head: Head | undefined) {
  if (!head) return { reason }
  return {
    reason,
    currentHighestBid: head.currentHighestBid,
    minimumNextBid: minimumNextBid(head),
    endAt: timestampFromMs(head.endAtMs),
  }
}

/** The refusal that a failed attempt to decide a bid amounts to; undefined for a fault of ours. */
export function refusalOfFailure(error: unknown): BidRefusal | undefined {
  if (error instanceof LaneFullError) return 'overloaded'
  if (error instanceof HeldTooLongError || isContention(error)) return 'contention'
  if (isUnavailable(error)) return 'unavailable'
  return undefined
}

const changeAnswers = {
  not_seller: { code: Code.PermissionDenied, message: 'only the seller may change this item' },
  has_bids: {
    code: Code.FailedPrecondition,
    message: 'the item has bids and can no longer be cancelled by its seller',
  },
  ended: { code: Code.FailedPrecondition, message: 'the auction has ended' },
  cancelled: { code: Code.FailedPrecondition, message: 'the item was cancelled' },
} as const satisfies Record<ChangeRefusal, { code: Code; message: string }>

/** The error for a change of an item that the rules refuse. */
export function changeRefused(refusal: ChangeRefusal): ConnectError {
  const { code, message } = changeAnswers[refusal]
  return new ConnectError(message, code)
}

/** The seller's idempotency key has made an item out of another request. */
export function itemKeyReused(): ConnectError {
  return new ConnectError(
    'this idempotency_key was used for another item: choose a new key for a new item',
    Code.AlreadyExists,
  )
}

/** No item has the id asked for. */
export function itemNotFound(): ConnectError {
  return new ConnectError('no item has this id', Code.NotFound)
}
