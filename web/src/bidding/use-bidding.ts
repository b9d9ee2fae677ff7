/**
 * Sends a bid and says how it fares. A bid keeps its key over every try, by itself and by hand, so that it
 * is placed once at most; it is never kept for later, when nobody might want it any more.
 */
import { useEffect, useMemo, useRef } from 'react'
import { createClient } from '@connectrpc/connect'
import { useTransport } from '@connectrpc/connect-query'
import { useMutation } from '@tanstack/react-query'
import { type Bid, BidService, type PlaceBidResponse } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  acceptedKey,
  type Attempt,
  failedAttempt,
  isWorthRetrying,
  settled,
} from './bid-attempt.ts'
import { newKey } from '../app/new-key.ts'

/** Longer than the server ever takes to decide; then there is no answer. */
const ANSWER_LIMIT_MS = 8_000
/** Tries by itself after the first: a moment's trouble is over by then, and anything longer is told. */
const RETRIES = 2
const RETRY_MIN_MS = 400
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
  const transport = useTransport()
  const client = useMemo(() => createClient(BidService, transport), [transport])
  const { mutate, data, error, status, variables } = useMutation({
    mutationFn: async ({ amount, key }: Try) => {
      const bid = { itemId, userId, amount, idempotencyKey: key }
      return await client.placeBid(bid, { timeoutMs: ANSWER_LIMIT_MS })
    },
    networkMode: 'always',
    retry: (tries, reason) => tries < RETRIES && isWorthRetrying(reason),
    retryDelay: (tries) => RETRY_MIN_MS * 2 ** tries,
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
