/** Between proto and plain values: requests in, responses and typed errors out. Decides nothing. */
import { defaultSoftClose, type SoftClose } from '@bidmesh/auction/auction-state.ts'
import type { Caller } from '@bidmesh/auction/commands.ts'
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import { durationMs, type Timestamp, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  BidService,
  type CreateItemRequest,
  type PlaceBidRequest,
  type SoftClose as SoftCloseMessage,
  SoftClose_Mode,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Role } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { type Origin, originKey } from '@bidmesh/platform/identity/origin.ts'
import { maskedItem } from '@bidmesh/events/masked.ts'
import { hasRole, principalKey, readerOf } from '@bidmesh/platform/identity/principal.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { type Session, whileHere } from '@bidmesh/platform/postgres/session.ts'
import { type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { context, isSpanContextValid, propagation, trace, TraceFlags } from '@opentelemetry/api'
import { canonicalId } from '@bidmesh/platform/rpc/canonical-id.ts'
import { createItem, type NewItem } from './create-item.ts'
import type { BidOutcome } from './decide-batch.ts'
import { bidFailed, bidRejected, changeRejected, reasonOfFailure } from './errors.ts'
import { lateBidExtension } from '@bidmesh/events/encode-event.ts'
import { callerId } from '@bidmesh/platform/identity/caller-id.ts'
import type { ItemCache } from './item-cache.ts'
import { itemFromRow } from './item-row.ts'
import { editedTexts } from './item-edit.ts'
import type { ChangeEntry, Lanes } from './lanes.ts'
import type { BidMetrics } from './metrics.ts'
import { queryRoutes } from './query-routes.ts'

export type RoutesOptions = {
  sql: Sql
  session: Session
  lanes: Lanes
  cache: ItemCache
  wakeRelay: () => void
  metrics: BidMetrics
  /** User ids of operators, besides those whose token says so. */
  operatorIds: readonly string[]
}

export function bidRoutes(options: RoutesOptions) {
  const { sql, session, lanes, cache, wakeRelay, metrics, operatorIds } = options
  const operators = new Set(operatorIds)
  const callerOf = (request: { userId: string }, { values }: HandlerContext): Caller => {
    const userId = callerId(request.userId, 'user_id')
    const hasOperatorRole = hasRole(values.get(principalKey), [Role.OPERATOR])
    return { userId, operator: hasOperatorRole || operators.has(userId) }
  }
  const change = (id: string, command: ChangeEntry['command'], call: HandlerContext) =>
    carryOut(lanes, id, command, call)
  return (router: ConnectRouter): ConnectRouter =>
    router.service(BidService, {
      placeBid: (request, call: HandlerContext) => placeBid(lanes, metrics, request, call),

      async createItem(request, { signal, values }) {
        const item = newItem(request, values.get(originKey))
        const row = await createItem(whileHere(session, signal), item)
        wakeRelay()
        return { item: itemFromRow(row) }
      },

      async updateItem(request, call) {
        const texts = editedTexts(request)
        const by = callerOf(request, call)
        return await change(request.id, { kind: 'edit', by, texts }, call)
      },

      async cancelItem(request, call) {
        const { id, reason } = request
        const by = callerOf(request, call)
        return await change(id, { kind: 'cancel', by, reason }, call)
      },

      async extendItem(request, call) {
        const { itemId, reason } = request
        const endAtMs = endOf(request)
        const by = callerOf(request, call)
        return await change(itemId, { kind: 'extend', by, endAtMs, reason }, call)
      },

      async endItemNow(request, call) {
        const by = callerOf(request, call)
        return await change(request.itemId, { kind: 'end_now', by }, call)
      },

      ...queryRoutes(sql, cache),
    })
}

async function placeBid(
  lanes: Lanes,
  metrics: BidMetrics,
  request: PlaceBidRequest,
  { signal, values }: HandlerContext,
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
    origin: values.get(originKey),
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
    ...(outcome.kind === 'accepted' &&
      outcome.extended && { extended: true, extension: lateBidExtension(state) }),
  }
}

async function carryOut(
  lanes: Lanes,
  id: string,
  command: ChangeEntry['command'],
  { signal, values }: HandlerContext,
) {
  const entry = {
    itemId: canonicalId(id),
    command,
    idempotencyKey: '',
    trace: currentTrace(),
    origin: values.get(originKey),
  }
  const outcome = await lanes.change(entry, signal)
  if (outcome.kind === 'rejected') throw changeRejected(outcome.rejection, outcome.state)
  if (!outcome.item) throw new Error('a changed item was not read')
  return { item: maskedItem(itemFromRow(outcome.item), readerOf(values.get(principalKey))) }
}

/** Of a request whose rules say that it has an end. */
function endOf({ endAt }: { endAt?: Timestamp | undefined }): number {
  return endAt ? timestampMs(endAt) : 0
}

function newItem(request: CreateItemRequest, origin: Origin): NewItem {
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
    endAtMs: endOf(request),
    softClose: softCloseOf(request.softClose),
    idempotencyKey: request.idempotencyKey,
    trace: currentTrace(),
    origin,
  }
}

function softCloseOf(message: SoftCloseMessage | undefined): SoftClose {
  const reset = message?.mode === SoftClose_Mode.RESET
  const windowMs = message?.window ? durationMs(message.window) : defaultSoftClose.windowMs
  // An extension below the window would be rejected.
  const extensionMs = Math.max(defaultSoftClose.extensionMs, windowMs)
  const maxExtensions = reset ? 0 : defaultSoftClose.maxExtensions
  return {
    mode: reset ? 'reset' : 'add',
    windowMs,
    extensionMs: message?.extension ? durationMs(message.extension) : extensionMs,
    maxExtensions: message?.maxExtensions ?? maxExtensions,
    maxTotalMs: message?.maxTotal ? durationMs(message.maxTotal) : 0,
  }
}

/** The trace context to store with an event; empty unless somebody records this trace. */
function currentTrace(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext()
  if (!span || !(span.traceFlags & TraceFlags.SAMPLED) || !isSpanContextValid(span)) return {}
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  return carrier
}
