import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  PlaceBidRequestSchema,
  PlaceBidResponseSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { bidRejected } from '@bidmesh/bid/errors.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { errorToJson } from '@connectrpc/connect/protocol-connect'
import { describe, expect, it } from 'vitest'
import { bidRequest, readBidAnswer } from './bid-call.ts'
import { INCREMENT_MINOR } from './load-generator.ts'
import { newItem } from '../scenarios/sample-events.ts'

const itemId = '0199ff80-0000-7000-8000-000000000001'

function errorBody(error: ConnectError): string {
  return JSON.stringify(errorToJson(error, undefined))
}

describe('bidRequest', () => {
  it('is a PlaceBidRequest in JSON', () => {
    const request = fromJsonString(PlaceBidRequestSchema, bidRequest(itemId, 'bidder-1', 2 ** 50))
    expect(request).toMatchObject({ itemId, userId: 'bidder-1', amount: 2n ** 50n })
  })
})

describe('readBidAnswer', () => {
  it('reads an acceptance', () => {
    const response = create(PlaceBidResponseSchema, {
      bid: { id: itemId, sequence: 7n, amount: 10n, createdAt: timestampFromMs(0) },
      minimumNextBid: 10n + BigInt(INCREMENT_MINOR),
    })
    expect(readBidAnswer(200, toJsonString(PlaceBidResponseSchema, response))).toEqual({
      kind: 'accepted',
      bidId: itemId,
      sequence: 7n,
      createdAt: '1970-01-01T00:00:00Z',
      minimumNextBid: 11,
    })
  })

  it('reads why a bid was rejected, and the price to beat', () => {
    const state = { ...newItem(Date.now()), currentHighestBid: 41n, sequence: 3n }
    expect(readBidAnswer(400, errorBody(bidRejected('too_low', state)))).toEqual({
      kind: 'rejected',
      reason: 'too_low',
      minimumNextBid: 42,
    })
  })

  it('does not take an undecided bid for a rejected one', () => {
    expect(readBidAnswer(429, errorBody(bidRejected('overloaded')))).toEqual({
      kind: 'failed',
      code: 'overloaded',
    })
  })

  it('names the code, or at least the status, of any other failure', () => {
    const internal = errorBody(new ConnectError('oh', Code.Internal))
    expect(readBidAnswer(500, internal)).toEqual({ kind: 'failed', code: 'internal' })
    expect(readBidAnswer(502, '<html>')).toEqual({ kind: 'failed', code: 'http_502' })
  })
})
