/** A bid as any client without a library places it. */
import { type BidAnswer, placeBidPath, readBidAnswer } from '@bidmesh/bench/load/bid-call.ts'

/** An answer that takes longer counts as none; the servers' own limits are below it. */
export const answerLimitMs = 20_000

export type PostedBid = { itemId: string; userId: string; amount: number; idempotencyKey?: string }

/** Rejects when the connection breaks before the whole answer has come, or no answer comes. */
export async function postBid(url: string, bid: PostedBid): Promise<BidAnswer> {
  const response = await fetch(`${url}${placeBidPath}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...bid, amount: String(bid.amount) }),
    signal: AbortSignal.timeout(answerLimitMs),
  })
  return readBidAnswer(response.status, await response.text())
}
