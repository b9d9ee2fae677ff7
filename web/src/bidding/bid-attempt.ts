/**
 * What became of a bid that was sent. Honest about what is not known: without an answer the bid may have
 * been placed, and only the same key again finds out without bidding twice.
 */
import { bidRejectionOf, Code, ConnectError } from '@bidmesh/client'
import { type Bid, BidRejectionReason as Reason } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { NotRenewedError, wordsFor } from '../app/errors.ts'

export type Attempt = { amount: bigint; key: string } & (
  | { phase: 'placing' }
  | { phase: 'accepted' }
  /** Decided against, for good. */
  | { phase: 'rejected'; reason: Reason; minimumNextBid: bigint; words: string }
  /** Certainly not decided: the server was too busy, or was not asked. */
  | { phase: 'undecided'; words?: string }
  /** Certainly not placed: the server does not know any more who sent it. */
  | { phase: 'signed-out' }
  /** No answer: nobody here knows. */
  | { phase: 'unknown' }
)

const undecided: ReadonlySet<Reason> = new Set([Reason.CONTENTION, Reason.OVERLOADED])

/** Without a reason in the answer, these say that something is there and has decided. */
const decisive: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.FailedPrecondition,
  Code.PermissionDenied,
  Code.AlreadyExists,
  Code.OutOfRange,
])

/** What a failed try says about the bid. */
export function failedAttempt(amount: bigint, key: string, error: unknown): Attempt {
  if (error instanceof NotRenewedError)
    return { phase: 'undecided', amount, key, words: wordsFor(error) }
  const { code } = ConnectError.from(error)
  if (code === Code.Unauthenticated) return { phase: 'signed-out', amount, key }
  const rejection = bidRejectionOf(error)
  const reason = rejection?.reason ?? Reason.UNSPECIFIED
  if (undecided.has(reason)) return { phase: 'undecided', amount, key }
  const decided = rejection !== undefined || decisive.has(code)
  if (!decided || reason === Reason.UNAVAILABLE) return { phase: 'unknown', amount, key }
  const minimumNextBid = rejection?.minimumNextBid ?? 0n
  return { phase: 'rejected', amount, key, reason, minimumNextBid, words: wordsFor(error) }
}

/** The key of a bid that was accepted, to notice each acceptance once. */
export function acceptedKey(attempt: Attempt | undefined): string | undefined {
  return attempt?.phase === 'accepted' ? attempt.key : undefined
}

/**
 * The stream often knows before the answer is there, and also when it never comes: amounts of an item only
 * rise, so a bid of this bidder with this amount is the one that was sent.
 */
export function settled(
  attempt: Attempt | undefined,
  bids: readonly Bid[],
  userId: string,
): Attempt | undefined {
  if (!attempt || attempt.phase === 'rejected' || attempt.phase === 'accepted') return attempt
  const { amount, key } = attempt
  const placed = bids.some((bid) => bid.userId === userId && bid.amount === amount)
  return placed ? { phase: 'accepted', amount, key } : attempt
}
