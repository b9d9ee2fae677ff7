import { create } from '@bufbuild/protobuf'
import {
  type Bid,
  BidRejectionReason as Reason,
  BidRejectionSchema,
  BidSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { NotRenewedError } from '../app/errors.ts'
import { type Attempt, failedAttempt, settled } from './bid-attempt.ts'

function rejected(code: Code, reason: Reason, minimumNextBid = 0n): ConnectError {
  const value = create(BidRejectionSchema, { reason, minimumNextBid })
  return new ConnectError('rejected', code, undefined, [{ desc: BidRejectionSchema, value }])
}

describe('failedAttempt', () => {
  it.each([
    ['too low', rejected(Code.FailedPrecondition, Reason.TOO_LOW, 120n), 'rejected'],
    ['own item', rejected(Code.PermissionDenied, Reason.OWN_ITEM), 'rejected'],
    ['a malformed request', new ConnectError('bad', Code.InvalidArgument), 'rejected'],
    ['the end of a sign-in', new ConnectError('who?', Code.Unauthenticated), 'signed-out'],
    ['a sign-in that could not be renewed', new NotRenewedError(), 'undecided'],
    ['a lock wait', rejected(Code.Aborted, Reason.CONTENTION), 'undecided'],
    ['overload', rejected(Code.ResourceExhausted, Reason.OVERLOADED), 'undecided'],
    ['a database that is unavailable', rejected(Code.Unavailable, Reason.UNAVAILABLE), 'unknown'],
    ['a server that is unavailable', new ConnectError('gone', Code.Unavailable), 'unknown'],
    ['a deadline', new ConnectError('late', Code.DeadlineExceeded), 'unknown'],
    ['a lost connection', new TypeError('Failed to fetch'), 'unknown'],
  ])('after %s', (_, error, phase) => {
    expect(failedAttempt(100n, 'key', error)).toMatchObject({ phase, amount: 100n, key: 'key' })
  })

  it('keeps the minimum it was told', () => {
    const error = rejected(Code.FailedPrecondition, Reason.TOO_LOW, 120n)
    expect(failedAttempt(100n, 'key', error)).toMatchObject({ minimumNextBid: 120n })
  })
})

describe('settled', () => {
  const mine: Bid = create(BidSchema, { userId: 'me', amount: 100n, sequence: 1n })

  it.each(['placing', 'unknown', 'undecided'] as const)('finds a bid that was %s', (phase) => {
    const attempt: Attempt = { phase, amount: 100n, key: 'key' }
    expect(settled(attempt, [mine], 'me')?.phase).toBe('accepted')
    expect(settled(attempt, [mine], 'bob')).toBe(attempt)
    expect(settled({ ...attempt, amount: 101n }, [mine], 'me')?.phase).toBe(phase)
  })

  it('leaves what is decided', () => {
    const error = rejected(Code.FailedPrecondition, Reason.TOO_LOW, 120n)
    const tooLow = failedAttempt(100n, 'key', error)
    expect(settled(tooLow, [mine], 'me')).toBe(tooLow)
    expect(settled(undefined, [mine], 'me')).toBeUndefined()
  })
})
