/** Between proto and plain values: requests in, responses and typed errors out. Decides nothing. */
import { defaultSoftClose, type SoftClose } from '@bidmesh/auction/auction-state.ts'
import type { Caller, Command, PlaceBid } from '@bidmesh/auction/commands.ts'
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import type { ItemTexts } from '@bidmesh/auction/events.ts'
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
import { canonicalId } from './canonical-id.ts'
import { createItem, type NewItem } from './create-item.ts'
import type { BidOutcome } from './decide-batch.ts'
import { bidFailed, bidRejected, changeRejected, reasonOfFailure } from './errors.ts'
import { callerId } from './identity.ts'
import type { ItemCache } from './item-cache.ts'
import { itemFromRow } from './item-row.ts'
import type { Lanes } from './lanes.ts'
import type { BidMetrics } from './metrics.ts'
import { queryRoutes } from './query-routes.ts'

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
        const { title, description, category } = request
        const images = request.images.length > 0 ? request.images : undefined
        const texts = { title, description, images, category }
        const by = callerOf(request)
        return await change(lanes, request.id, { kind: 'edit', by, texts: given(texts) }, signal)
      },

      async cancelItem(request, { signal }) {
        const { id, reason } = request
        return await change(lanes, id, { kind: 'cancel', by: callerOf(request), reason }, signal)
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
    command: {
      kind: 'place_bid' as const,
      userId: callerId(request.userId, 'user_id'),
      amount: request.amount,
    },
    idempotencyKey: request.idempotencyKey,
    trace: currentTrace(),
  }
  let outcome: BidOutcome
  try {
    outcome = await lanes.place(entry, signal)
  } catch (error) {
    const reason = reasonOfFailure(error)
    if (!reason) throw error
    metrics.rejected({ command: 'place_bid', itemId: entry.itemId, reason, early: false })
    throw bidFailed(reason, error)
  }
  if (outcome.kind === 'rejected') throw bidRejected(outcome.rejection, outcome.state)
  const { bid, state } = outcome
  return {
    bid: { ...bid, createdAt: timestampFromMs(bid.createdAtMs) },
    currentHighestBid: state.currentHighestBid,
    minimumNextBid: minimumNextBid(state),
    endAt: timestampFromMs(state.endAtMs),
    extended: outcome.kind === 'accepted' && outcome.extended,
  }
}

async function change(
  lanes: Lanes,
  id: string,
  command: Exclude<Command, PlaceBid>,
  signal: AbortSignal,
) {
  const entry = { itemId: canonicalId(id), command, idempotencyKey: '', trace: currentTrace() }
  const outcome = await lanes.change(entry, signal)
  if (outcome.kind === 'rejected') throw changeRejected(outcome.rejection)
  if (!outcome.item) throw new Error('a changed item was not read')
  return { item: itemFromRow(outcome.item) }
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

/** Without what the request does not name. */
function given(texts: { [Name in keyof ItemTexts]: ItemTexts[Name] | undefined }) {
  const entries = Object.entries(texts).filter(([, value]) => value !== undefined)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a subset of what came in
  return Object.fromEntries(entries) as Partial<ItemTexts>
}

/** The trace context to store with an event; empty unless somebody records this trace. */
function currentTrace(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext()
  if (!span || !isSpanContextValid(span) || !(span.traceFlags & TraceFlags.SAMPLED)) return {}
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  return carrier
}
