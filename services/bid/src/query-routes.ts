/** The queries of BidService. Each takes a turn at the pool, and gives it up when its caller leaves. */
import {
  type BidService,
  ItemView,
  type ListItemsRequest,
  type ListSellerItemsRequest,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { createTurns } from '@bidmesh/platform/process/turns.ts'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { canonicalId } from '@bidmesh/platform/rpc/canonical-id.ts'
import { principalKey, readerOf } from '@bidmesh/platform/identity/principal.ts'
import { maskedBid, maskedEvent, maskedItem } from '@bidmesh/events/masked.ts'
import { callerId } from '@bidmesh/platform/identity/caller-id.ts'
import type { ItemCache } from './item-cache.ts'
import { statusName } from '@bidmesh/events/item-message.ts'
import { listAuditEntries } from './audit-entries.ts'
import { listItems, noFilter } from './list-items.ts'
import { getItem, getItemBids, listItemEvents, listUserBids } from './queries.ts'
import { createItemStreams } from './stream-items.ts'

/** Enough to keep the pool's connections busy; what waits beyond them waits here, where it can leave. */
const QUERIES_AT_ONCE = 24

type Query =
  | 'getItem'
  | 'listItems'
  | 'listSellerItems'
  | 'getItemBids'
  | 'listUserBids'
  | 'listItemEvents'
  | 'listAuditEntries'
  | 'streamItems'

export function queryRoutes(
  sql: Sql,
  cache: ItemCache,
): Pick<ServiceImpl<typeof BidService>, Query> {
  const streamItems = createItemStreams(sql)
  const queries = createTurns(Array.from({ length: QUERIES_AT_ONCE }, (_, place) => place))

  async function list(
    filter: Parameters<typeof listItems>[1],
    request: ListItemsRequest | ListSellerItemsRequest,
    { signal, values }: HandlerContext,
  ) {
    const reader = readerOf(values.get(principalKey))
    const look = () => listItems(sql, filter, pageRequest(request))
    const { rows, nextPageToken } = await queries.run(look, signal)
    return { items: rows.map((item) => maskedItem(item, reader)), nextPageToken }
  }

  return {
    async getItem(request, { signal, values }) {
      const reader = readerOf(values.get(principalKey))
      const id = canonicalId(request.id)
      const copy = await cache.get(id)
      if (copy) return { item: maskedItem(copy, reader) }
      const item = await queries.run(() => getItem(sql, id), signal)
      cache.offer(item)
      return { item: maskedItem(item, reader) }
    },

    async listItems(request, call) {
      const { category, sellerId, query, orderBy, currency, minPrice, maxPrice } = request
      const prices = { currency, minPrice, maxPrice }
      const status = statusName(request.status)
      return await list({ category, status, sellerId, query, orderBy, ...prices }, request, call)
    },

    async listSellerItems(request, call) {
      const sellerId = callerId(request.sellerId, 'seller_id')
      return await list({ ...noFilter, sellerId }, request, call)
    },

    async getItemBids(request, { signal, values }) {
      const reader = readerOf(values.get(principalKey))
      const id = canonicalId(request.itemId)
      const { rows, nextPageToken } = await queries.run(() => getItemBids(sql, id, request), signal)
      return { bids: rows.map((bid) => maskedBid(bid, reader)), nextPageToken }
    },

    async listUserBids(request, { signal }) {
      const userId = callerId(request.userId, 'user_id')
      const { rows, nextPageToken } = await queries.run(
        () => listUserBids(sql, userId, request),
        signal,
      )
      return { bids: rows, nextPageToken }
    },

    async listItemEvents(request, { signal, values }) {
      const reader = readerOf(values.get(principalKey))
      const id = canonicalId(request.itemId)
      const { rows, nextPageToken } = await queries.run(
        () => listItemEvents(sql, id, request),
        signal,
      )
      return { events: rows.map((event) => maskedEvent(event, reader)), nextPageToken }
    },

    async listAuditEntries(request, { signal }) {
      const { rows, nextPageToken } = await queries.run(
        () => listAuditEntries(sql, request, Date.now()),
        signal,
      )
      return { entries: rows, nextPageToken }
    },

    streamItems: ({ afterItemId }, { signal }) =>
      streamItems(canonicalId(afterItemId), (query) => queries.run(query, signal), signal),
  }
}

function pageRequest({ pageSize, pageToken, view }: ListItemsRequest | ListSellerItemsRequest) {
  return { pageSize, pageToken, full: view === ItemView.FULL }
}
