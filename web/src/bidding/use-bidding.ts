/**
 * Sends a bid and says how it fares. A bid keeps its key over every try, by itself and by hand, so that it
 * is placed once at most; it is never kept for later, when nobody might want it any more.
 */
import { useEffect, useMemo, useRef } from 'react'
import { newKey } from '@bidmesh/client'
import { useMutation } from '@tanstack/react-query'
import type { Bid, PlaceBidResponse } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { acceptedKey, type Attempt, failedAttempt, settled } from './bid-attempt.ts'
import { client } from '../app/transport.ts'

/** Longer than the server ever takes to decide; then there is no answer. */
const ANSWER_LIMIT_MS = 8_000
/** A second click this soon after a bid was accepted is the end of a double click, not another bid. */
const PAUSE_AFTER_ACCEPTED_MS = 800

export type Bidding = {
  attempt: Attempt | undefined
  /** The answer to the last bid, if it was accepted. */
  answer: PlaceBidResponse | undefined
  /** A new bid; ignored while one is being placed. */
  place: (amount: bigint) => void
  /** The last bid once more, with its key. */
  retry: () => void
}

type Try = { amount: bigint; key: string }

export function useBidding(itemId: string, userId: string, bids: readonly Bid[]): Bidding {
  const { mutate, data, error, status, variables } = useMutation({
    mutationFn: async ({ amount, key }: Try) => {
      const bid = { itemId, userId, amount, idempotencyKey: key }
      return await client.bids.placeBid(bid, { timeoutMs: ANSWER_LIMIT_MS })
    },
    networkMode: 'always',
  })
  const attempt = useMemo(
    () => settled(attemptOf(status, variables, error), bids, userId),
    [status, variables, error, bids, userId],
  )
  // By the answer or by the stream, whichever is first.
  const key = acceptedKey(attempt)
  const acceptedAtMs = useRef(-Infinity)
  useEffect(() => {
    if (key !== undefined) acceptedAtMs.current = performance.now()
  }, [key])
  const send = (next: Try): void => {
    if (attempt?.phase !== 'placing') mutate(next)
  }
  return {
    attempt,
    answer: data,
    place: (amount) => {
      const justAccepted = performance.now() - acceptedAtMs.current < PAUSE_AFTER_ACCEPTED_MS
      const sent = variables?.amount ?? 0n
      const outbid = bids.some((bid) => bid.userId !== userId && bid.amount > sent)
      if (justAccepted && !outbid) return
      send({ amount, key: newKey() })
    },
    retry: () => {
      if (variables) send(variables)
    },
  }
}

function attemptOf(
  status: 'idle' | 'pending' | 'success' | 'error',
  sent: Try | undefined,
  error: unknown,
): Attempt | undefined {
  if (!sent || status === 'idle') return undefined
  if (status === 'error') return failedAttempt(sent.amount, sent.key, error)
  return { ...sent, phase: status === 'success' ? 'accepted' : 'placing' }
}
