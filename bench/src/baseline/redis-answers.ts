/** What a bid in Redis is answered: the JSON of PlaceBid, as the bid service has it. */
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidRejectionReasonSchema,
  BidRejectionSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { errorToJson } from '@connectrpc/connect/protocol-connect'
import type { RedisBid, RedisDecision } from './redis-bids.ts'

export function acceptance(bid: RedisBid, decision: RedisDecision): string {
  const { price, minimum, endMs, sequence, atMs } = decision
  return JSON.stringify({
    bid: { ...bid, createdAt: new Date(atMs).toISOString(), sequence: String(sequence) },
    currentHighestBid: String(price),
    minimumNextBid: String(minimum),
    endAt: new Date(endMs).toISOString(),
  })
}

export function rejection({ reason, price, minimum, endMs }: RedisDecision): string {
  const { number } =
    BidRejectionReasonSchema.values.find(({ localName }) => localName === reason) ?? {}
  const value = {
    reason: number ?? 0,
    currentHighestBid: BigInt(price),
    minimumNextBid: BigInt(minimum),
    endAt: timestampFromMs(endMs),
  }
  const error = new ConnectError('the bid was rejected', Code.FailedPrecondition, undefined, [
    { desc: BidRejectionSchema, value },
  ])
  return JSON.stringify(errorToJson(error, undefined))
}
