import {
  BidRejectionReason as Reason,
  BidRejectionSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { TransientError } from '@bidmesh/platform/process/errors.ts'
import { Code } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { bidRejected, reasonOfFailure } from './errors.ts'
import { HeldTooLongError, LaneFullError } from './lane-entry.ts'

it.each([
  ['item_not_found', Code.NotFound, Reason.ITEM_NOT_FOUND],
  ['invalid_request', Code.InvalidArgument, Reason.INVALID_REQUEST],
  ['too_low', Code.FailedPrecondition, Reason.TOO_LOW],
  ['not_started', Code.FailedPrecondition, Reason.NOT_STARTED],
  ['ended', Code.FailedPrecondition, Reason.ENDED],
  ['cancelled', Code.FailedPrecondition, Reason.CANCELLED],
  ['own_item', Code.PermissionDenied, Reason.OWN_ITEM],
  ['key_reused', Code.AlreadyExists, Reason.KEY_REUSED],
  ['contention', Code.Aborted, Reason.CONTENTION],
  ['overloaded', Code.ResourceExhausted, Reason.OVERLOADED],
  ['unavailable', Code.Unavailable, Reason.UNAVAILABLE],
] as const)('%s', (rejection, code, reason) => {
  const error = bidRejected(rejection)
  expect(error.code).toBe(code)
  expect(error.findDetails(BidRejectionSchema)).toMatchObject([{ reason }])
})

const sqlError = (code: string) => Object.assign(new Error('from the database'), { code })

it.each([
  ['a full lane', new LaneFullError('full'), 'overloaded'],
  ['an item held too long', new HeldTooLongError('held'), 'contention'],
  ['a lock wait', sqlError('55P03'), 'contention'],
  ['a serialization failure', sqlError('40001'), 'contention'],
  ['a deadlock', sqlError('40P01'), 'contention'],
  ['a lost connection', sqlError('CONNECTION_CLOSED'), 'unavailable'],
  ['a refused connection', sqlError('ECONNREFUSED'), 'unavailable'],
  ['a server that starts up', sqlError('57P03'), 'unavailable'],
  ['a transaction without its connection', new TransientError('lost'), 'unavailable'],
  ['a server that only reads', sqlError('25006'), 'unavailable'],
  ['a missing table', sqlError('42P01'), 'unavailable'],
  ['a full disk', sqlError('53100'), 'unavailable'],
  ['a broken constraint', sqlError('23514'), undefined],
  ['a bug', new TypeError('x is undefined'), undefined],
])('%s', (_what, failure, reason) => {
  expect(reasonOfFailure(failure)).toBe(reason)
})
