/**
 * Rejections as callers see them: one table from reason to Connect code, words and detail. Everything that a
 * bid or a change can be rejected for is in it, and the compiler says so when a reason is missing.
 */
import type { AuctionState } from '@bidmesh/auction/auction-state.ts'
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidRejectionReason as Reason,
  BidRejectionSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { isContention, isUnavailable } from '@bidmesh/platform/process/errors.ts'
import { errorInfo } from '@bidmesh/platform/rpc/error-info.ts'
import { retryInfo } from '@bidmesh/platform/rpc/retry-info.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Rejected } from './decide-batch.ts'
import { LaneFullError } from './lane-entry.ts'

/** Why a command was not carried out: a rule, the item or the request, or the moment. */
export type RejectionReason =
  | Rejected['rejection']
  | 'bad_terms'
  | 'item_key_reused'
  | 'invalid_request'
  | 'contention'
  | 'overloaded'
  | 'unavailable'

/** `reason` is what a `BidRejection` says; those without one never meet a bid. */
type Answer = { code: Code; reason?: Reason; message: string }

const answers = {
  item_not_found: {
    code: Code.NotFound,
    reason: Reason.ITEM_NOT_FOUND,
    message: 'no item has this id',
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
    message: 'the item was cancelled',
  },
  own_item: {
    code: Code.PermissionDenied,
    reason: Reason.OWN_ITEM,
    message: 'sellers cannot bid on their own items',
  },
  not_seller: { code: Code.PermissionDenied, message: 'only the seller may change this item' },
  has_bids: {
    code: Code.FailedPrecondition,
    message: 'the item has bids: its seller can no longer cancel or extend it',
  },
  no_bids: {
    code: Code.FailedPrecondition,
    message: 'nobody has bid, so its seller cannot end the item now: cancel it instead',
  },
  not_later: {
    code: Code.InvalidArgument,
    message: 'end_at must be later than the present end of the item',
  },
  too_long: {
    code: Code.InvalidArgument,
    message: 'end_at must be at most 366 days after the start',
  },
  bad_terms: {
    code: Code.InvalidArgument,
    message: 'an item cannot be put up with these terms',
  },
  item_key_reused: {
    code: Code.AlreadyExists,
    message: 'this idempotency_key was used for another item: choose a new key for a new item',
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
      'the database is unavailable or takes no changes now: send the bid again with the same idempotency_key',
  },
} as const satisfies Record<RejectionReason, Answer>

/**
 * The error that tells a caller why the bid was rejected, with a `BidRejection` detail.
 *
 * @param state the item as it was when the bid was rejected; absent when none was read
 */
export function bidRejected(reason: RejectionReason, state?: AuctionState): ConnectError {
  const { message, code } = answers[reason]
  const details = [bidRejection(reason, state), ...retryInfo(code)]
  return new ConnectError(message, code, undefined, details)
}

/** The detail of a rejected bid. */
export function bidRejection(reason: RejectionReason, state?: AuctionState) {
  const value = create(BidRejectionSchema, detail(answers[reason], state))
  return { desc: BidRejectionSchema, value }
}

/** The same for a bid that failed to be decided. The cause is for the log and never sent. */
export function bidFailed(reason: RejectionReason, cause: unknown): ConnectError {
  const error = bidRejected(reason)
  error.cause = cause
  return error
}

function detail({ reason = Reason.UNSPECIFIED }: Answer, state: AuctionState | undefined) {
  if (!state) return { reason }
  return {
    reason,
    currentHighestBid: state.currentHighestBid,
    minimumNextBid: minimumNextBid(state),
    endAt: timestampFromMs(state.endAtMs),
  }
}

/** What a failed attempt to decide a bid amounts to; undefined for a fault of ours. */
export function reasonOfFailure(error: unknown): RejectionReason | undefined {
  if (error instanceof LaneFullError) return 'overloaded'
  if (isContention(error)) return 'contention'
  if (isUnavailable(error)) return 'unavailable'
  return undefined
}

/**
 * The error that tells a caller why a change of an item was rejected, with an `ErrorInfo` detail: the reason in
 * capitals and the item as it was.
 *
 * @param said instead of the reason's own words
 */
export function changeRejected(
  reason: RejectionReason,
  state?: AuctionState,
  said?: string,
): ConnectError {
  const { code, message } = answers[reason]
  const details = [changeRejection(reason, state), ...retryInfo(code)]
  return new ConnectError(said ?? message, code, undefined, details)
}

/** The same for a change that failed to be decided. The cause is for the log and never sent. */
export function changeFailed(reason: RejectionReason, cause: unknown): ConnectError {
  const error = changeRejected(reason, undefined, undecided[reason])
  error.cause = cause
  return error
}

/** Where the words for a bid do not fit. */
const undecided: Partial<Record<RejectionReason, string>> = {
  contention: 'the item is busy and the change was not decided: send it again',
  overloaded:
    'too many calls are waiting and this one was not decided: send it again after a pause',
  unavailable:
    'the database is unavailable or refuses work for the moment: send it again shortly, it may have been decided',
}

/** The detail of a rejected change. */
export function changeRejection(reason: RejectionReason, state?: AuctionState) {
  const metadata = state && {
    item_id: state.itemId,
    status: state.status,
    bid_count: String(state.sequence),
    end_at: new Date(state.endAtMs).toISOString(),
  }
  return errorInfo(reason, metadata)
}

/** No item has the id asked for. */
export function itemNotFound(): ConnectError {
  return changeRejected('item_not_found')
}
