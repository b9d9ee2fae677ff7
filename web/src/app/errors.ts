/** Errors in words for people. */
import { Code, ConnectError } from '@connectrpc/connect'
import { type BidRejection, BidRejectionSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'

/** A sentence without codes. */
export function wordsFor(error: unknown): string {
  const { code, rawMessage, metadata } = ConnectError.from(error)
  if (code === Code.Unavailable || code === Code.Unknown) return 'The server cannot be reached.'
  // With a time to wait it is about this person, and says so.
  if (code === Code.ResourceExhausted && !metadata.has('retry-after')) {
    return 'The server is very busy. Try again in a moment.'
  }
  return `${rawMessage.charAt(0).toUpperCase()}${rawMessage.slice(1)}.`
}

/** Why a bid was rejected, and what would be accepted; undefined when the error says nothing of it. */
export function rejectionOf(error: unknown): BidRejection | undefined {
  return ConnectError.from(error).findDetails(BidRejectionSchema)[0]
}
