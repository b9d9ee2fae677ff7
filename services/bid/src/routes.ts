/** Between proto and plain values: requests in, responses and typed errors out. Decides nothing. */
import { durationMs, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  BidService,
  type CreateItemRequest,
  type PlaceBidRequest,
  type SoftClose as SoftCloseMessage,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres.ts'
import { type Session, whileHere } from '@bidmesh/platform/session.ts'
import { type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { context, isSpanContextValid, propagation, trace, TraceFlags } from '@opentelemetry/api'
import { type Caller, defaultSoftClose, minimumNextBid, type SoftClose } from './auction.ts'
import { cancelItem } from './cancel-item.ts'
import { canonicalId } from './canonical-id.ts'
import { createItem, type NewItem } from './create-item.ts'
import { bidFailed, bidRefused, refusalOfFailure } from './errors.ts'
import { callerId } from './identity.ts'
import type { ItemCache } from './item-cache.ts'
import { itemFromRow } from './item-row.ts'
import type { Lanes } from './lanes.ts'
import type { BidMetrics } from './metrics.ts'
import type { BidOutcome } from './place-bids.ts'
import { queryRoutes } from './query-routes.ts'
import { updateItem } from './update-item.ts'

export type RoutesOptions = {
  sql: Sql
  session: Session
  lanes: Lanes
  cache: ItemCache
  metrics: BidMetrics
}

export function bidRoutes({ sql, session, lanes, cache, metrics }: RoutesOptions) {
  return (router: ConnectRouter): ConnectRouter =>
    router.service(BidService, {
      placeBid: (request, { signal }: HandlerContext) => placeBid(lanes, metrics, request, signal),

      async createItem(request, { signal }) {
        const row = await createItem(whileHere(session, signal), newItem(request))
        return { item: itemFromRow(row) }
      },

      async updateItem(request, { signal }) {
        const changes = {
          title: request.title,
          description: request.description,
          images: request.images.length > 0 ? request.images : undefined,
          category: request.category,
        }
        const id = canonicalId(request.id)
        const row = await updateItem(
          whileHere(session, signal),
          id,
          changes,
          callerOf(request),
          cache.invalidate,
          currentTrace(),
        )
        return { item: itemFromRow(row) }
      },

      async cancelItem(request, { signal }) {
        const row = await cancelItem(
          whileHere(session, signal),
          canonicalId(request.id),
          request.reason,
          callerOf(request),
          cache.invalidate,
          currentTrace(),
        )
        return { item: itemFromRow(row) }
      },

      ...queryRoutes(sql, cache),
    })
}

async function placeBid(
  lanes: Lanes,
  metrics: BidMetrics,
  request: PlaceBidRequest,
  signal: AbortSignal,
) {
  const entry = {
    itemId: canonicalId(request.itemId),
    userId: callerId(request.userId, 'user_id'),
    amount: request.amount,
    idempotencyKey: request.idempotencyKey,
    trace: currentTrace(),
  }
  let outcome: BidOutcome
  try {
    outcome = await lanes.place(entry, signal)
  } catch (error) {
    const refusal = refusalOfFailure(error)
    if (!refusal) throw error
    metrics.rejected(refusal, false)
    throw bidFailed(refusal, error)
  }
  if (outcome.kind === 'refused') throw bidRefused(outcome.refusal, outcome.head)
  const { bid, head } = outcome
  return {
    bid: { ...bid, createdAt: timestampFromMs(bid.createdAtMs) },
    currentHighestBid: head.currentHighestBid,
    minimumNextBid: minimumNextBid(head),
    endAt: timestampFromMs(head.endAtMs),
    extended: outcome.kind === 'accepted' && outcome.extended,
  }
}

/** Nobody is an operator in trusted mode. */
function callerOf({ userId }: { userId: string }): Caller {
  return { userId: callerId(userId, 'user_id'), operator: false }
}

function newItem(request: CreateItemRequest): NewItem {
  return {
    title: request.title,
    description: request.description,
    images: request.images,
    category: request.category,
    sellerId: callerId(request.sellerId, 'seller_id'),
    currency: request.currency || 'USD',
    startPrice: request.startPrice,
    minIncrement: request.minIncrement,
    startAtMs: request.startAt && timestampMs(request.startAt),
    endAtMs: request.endAt ? timestampMs(request.endAt) : 0,
    softClose: softCloseOf(request.softClose),
    idempotencyKey: request.idempotencyKey,
    trace: currentTrace(),
  }
}

function softCloseOf(message: SoftCloseMessage | undefined): SoftClose {
  return {
    windowMs: message?.window ? durationMs(message.window) : defaultSoftClose.windowMs,
    extensionMs: message?.extension ? durationMs(message.extension) : defaultSoftClose.extensionMs,
    maxExtensions: message?.maxExtensions ?? defaultSoftClose.maxExtensions,
  }
}

/** The trace context to store with an event; empty unless somebody records this trace. */
function currentTrace(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext()
  if (!span || !isSpanContextValid(span) || !(span.traceFlags & TraceFlags.SAMPLED)) return {}
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  return carrier
}
