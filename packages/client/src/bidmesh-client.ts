/** Bidmesh's services for a program or a page: see the package's README. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { type Bid, BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  LiveService,
  type WatchItemResponse,
  type WatchItemsRequestSchema,
  type WatchItemsResponse,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { UserStatsService } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { type CallPolicy, withPolicy } from './call-policy.ts'
import { resumedStream, type WatchOptions } from './resumed-stream.ts'
import { watchBids, watchItem, type WatchRequest } from './watch-item.ts'

export type BidmeshOptions = CallPolicy & {
  /** Where the services are, such as `http://localhost:8080`. */
  baseUrl: string
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch
  /** Instead of fetch; `baseUrl` is not used then. */
  transport?: Transport
}

export type BidmeshClient = {
  bids: Client<typeof BidService>
  stats: Client<typeof UserStatsService>
  live: Client<typeof LiveService>
  /** An item's state, then every change once and in order, whatever becomes of connections; see `WatchItem`. */
  watchItem: (
    request: WatchRequest,
    options?: WatchOptions,
  ) => AsyncGenerator<WatchItemResponse, void>
  /** Every bid on an item once and in order, from now on or after `afterSequence`. */
  watchBids: (request: WatchRequest, options?: WatchOptions) => AsyncGenerator<Bid, void>
  /** Many items for a list: all of them at first and whenever a connection was lost, then those that change. */
  watchItems: (
    request: MessageInitShape<typeof WatchItemsRequestSchema>,
    options?: WatchOptions,
  ) => AsyncGenerator<WatchItemsResponse, void>
  /** For whatever else takes a transport of Connect: with the same policy. */
  transport: Transport
}

export function createBidmeshClient(options: BidmeshOptions): BidmeshClient {
  const { baseUrl, fetch: ask = globalThis.fetch } = options
  const plain = options.transport ?? createConnectTransport({ baseUrl, fetch: ask })
  const transport = withPolicy(plain, options)
  const bids = createClient(BidService, transport)
  const live = createClient(LiveService, transport)
  return {
    bids,
    stats: createClient(UserStatsService, transport),
    live,
    watchItem: (request, watch) => watchItem(live, request, watch),
    watchBids: (request, watch) => watchBids({ bids, live }, request, watch),
    watchItems: (request, watch = {}) =>
      resumedStream((signal) => live.watchItems(request, { signal }), watch),
    transport,
  }
}
