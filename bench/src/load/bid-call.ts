/**
 * PlaceBid as JSON on the wire: the request a bidder sends and what its answer says. Every target is
 * called in exactly this form.
 */
import { fromBinary } from '@bufbuild/protobuf'
import { base64Decode } from '@bufbuild/protobuf/wire'
import {
  BidRejectionReason,
  BidRejectionReasonSchema,
  BidRejectionSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'

export const placeBidPath = '/bids.v1.BidService/PlaceBid'

/** Ids and users of the bench hold nothing that JSON would have to escape. */
export function bidRequest(itemId: string, userId: string, amount: number): string {
  return `{"itemId":"${itemId}","amount":"${amount}","userId":"${userId}"}`
}

export type BidAnswer =
  /** `createdAt` as it came, RFC 3339: read for the few bids that are followed. */
  | { kind: 'accepted'; bidId: string; sequence: bigint; createdAt: string; minimumNextBid: number }
  /** Decided against, with the price that made it so. */
  | { kind: 'rejected'; reason: string; minimumNextBid: number }
  /** Not decided, or nobody can tell: the Connect code, or the status of an answer that has none. */
  | { kind: 'failed'; code: string }

type AcceptedBody = {
  bid: { id: string; sequence: string; createdAt: string }
  minimumNextBid: string
}
type ErrorBody = { code?: string; details?: { type: string; value: string }[] }

/** What the servers may refuse without having decided: to be counted as failures, not as decisions. */
const undecided = new Set<BidRejectionReason>([
  BidRejectionReason.CONTENTION,
  BidRejectionReason.OVERLOADED,
  BidRejectionReason.UNAVAILABLE,
])

export function readBidAnswer(status: number, body: string): BidAnswer {
  if (status === 200) {
    const { bid, minimumNextBid }: AcceptedBody = JSON.parse(body)
    return {
      kind: 'accepted',
      bidId: bid.id,
      sequence: BigInt(bid.sequence),
      createdAt: bid.createdAt,
      minimumNextBid: Number(minimumNextBid),
    }
  }
  const { code = `http_${status}`, details = [] } = readError(body)
  const detail = details.find(({ type }) => type === BidRejectionSchema.typeName)
  if (detail === undefined) return { kind: 'failed', code }
  const { reason, minimumNextBid } = fromBinary(BidRejectionSchema, base64Decode(detail.value))
  const name = BidRejectionReasonSchema.value[reason]?.localName.toLowerCase() ?? 'unknown'
  if (undecided.has(reason)) return { kind: 'failed', code: name }
  return { kind: 'rejected', reason: name, minimumNextBid: Number(minimumNextBid) }
}

function readError(body: string): ErrorBody {
  try {
    const error: ErrorBody = JSON.parse(body)
    return error
  } catch {
    // A proxy's or a half-started server's page: the status says what there is to say.
    return {}
  }
}
