/** Between proto and plain values: requests in, responses and typed errors out. Decides nothing. */
import { durationMs, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  BidService,
  type CreateItemRequest,
  ItemView,
  type ListItemsRequest,
  type ListSellerItemsRequest,
  type PlaceBidRequest,
  type SoftClose as SoftCloseMessage,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres.ts'
import type { Session } from '@bidmesh/platform/session.ts'
import { type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { context, isSpanContextValid, propagation, trace, TraceFlags } from '@opentelemetry/api'
import { type Caller, defaultSoftClose, minimumNextBid, type SoftClose } from './auction.ts'
import { cancelItem } from './cancel-item.ts'
import { canonicalId } from './canonical-id.ts'
import { createItem, type NewItem } from './create-item.ts'
import { bidFailed, bidRefused, refusalOfFailure } from './errors.ts'
import { callerId } from './identity.ts'
import type { ItemCache } from './item-cache.ts'
import { itemFromRow, statusName } from './item-row.ts'
import type { Lanes } from './lanes.ts'
import type { BidMetrics } from './metrics.ts'
import type { BidOutcome } from './place-bids.ts'
import { listItems } from './list-items.ts'
import { getItem, getItemBids, listUserBids } from './queries.ts'
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

      async createItem(request) {
        return { item: itemFromRow(await createItem(session, newItem(request))) }
      },

      async updateItem(request) {
        const changes = {
          title: request.title,
          description: request.description,
          images: request.images.length > 0 ? request.images : undefined,
          category: request.category,
        }
        const id = canonicalId(request.id)
        const row = await updateItem(
          session,
          id,
          changes,
          callerOf(request),
          cache.invalidate,
          currentTrace(),
        )
        return { item: itemFromRow(row) }
      },

      async cancelItem(request) {
        const row = await cancelItem(
          session,
          canonicalId(request.id),
          request.reason,
          callerOf(request),
          cache.invalidate,
          currentTrace(),
        )
        return { item: itemFromRow(row) }
      },

      async getItem(request) {
        const id = canonicalId(request.id)
        const copy = await cache.get(id)
        if (copy) return { item: copy }
        const item = await getItem(sql, id)
        cache.offer(item)
        return { item }
      },

      async listItems(request) {
        const { category, sellerId, query, orderBy } = request
        const filter = { category, status: statusName(request.status), sellerId, query, orderBy }
        const { rows, nextPageToken } = await listItems(sql, filter, pageRequest(request))
        return { items: rows, nextPageToken }
      },

      async listSellerItems(request) {
        const sellerId = callerId(request.sellerId, 'seller_id')
        const filter = { category: '', status: undefined, sellerId, query: '', orderBy: 0 } as const
        const { rows, nextPageToken } = await listItems(sql, filter, pageRequest(request))
        return { items: rows, nextPageToken }
      },

      async getItemBids(request) {
        const id = canonicalId(request.itemId)
        const { rows, nextPageToken } = await getItemBids(sql, id, request)
        return { bids: rows, nextPageToken }
      },

      async listUserBids(request) {
        const userId = callerId(request.userId, 'user_id')
        const { rows, nextPageToken } = await listUserBids(sql, userId, request)
        return { bids: rows, nextPageToken }
      },
    })
}

function pageRequest({ pageSize, pageToken, view }: ListItemsRequest | ListSellerItemsRequest) {
  return { pageSize, pageToken, full: view === ItemView.FULL }
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
