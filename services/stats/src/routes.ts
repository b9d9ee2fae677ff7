/** Between proto and plain values; decides nothing but what an absent field means. */
import { durationMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  type GetMarketActivityRequest,
  ListTopBiddersRequest_OrderBy as OrderBy,
  UserStatsService,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { createTurns } from '@bidmesh/platform/process/turns.ts'
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import type { Leaderboards } from './leaderboards.ts'
import { getMarketActivity } from './market-activity.ts'
import {
  getItemStats,
  getUserStats,
  listItemTopBidders,
  listTopBidders,
  type Order,
} from './queries.ts'

const DEFAULT_LIMIT = 10
const MINUTE_MS = 60_000
const DEFAULT_BUCKET_MS = 60 * MINUTE_MS
const DEFAULT_SPAN_MS = 24 * 60 * MINUTE_MS
/** Enough for a chart; more would be an export. */
const MAX_BUCKETS = 1_000
/** The end of what a Timestamp may say; binary messages can hold more. */
const MAX_TIME_MS = Date.UTC(10_000, 0)

const orders: Record<number, Order> = {
  [OrderBy.TOTAL_BIDS]: 'bids',
  [OrderBy.TOTAL_AMOUNT]: 'amount',
  [OrderBy.ITEMS_WON]: 'won',
}

export type RoutesOptions = { sql: Sql; leaderboards: Leaderboards }

/** Enough to keep the pool's connections busy; what waits beyond them waits here, where it can leave. */
const QUERIES_AT_ONCE = 24

export function statsRoutes({ sql, leaderboards }: RoutesOptions) {
  const queries = createTurns(Array.from({ length: QUERIES_AT_ONCE }, (_, place) => place))
  return (router: ConnectRouter): ConnectRouter =>
    router.service(UserStatsService, {
      async getUserStats({ userId }, { signal }) {
        return { stats: await queries.run(() => getUserStats(sql, userId), signal) }
      },

      async getItemStats({ itemId }, { signal }) {
        const id = itemId.toLowerCase()
        return { stats: await queries.run(() => getItemStats(sql, id), signal) }
      },

      async listTopBidders(request, { signal }) {
        const limit = request.limit || DEFAULT_LIMIT
        const order = orders[request.orderBy] ?? 'bids'
        const query = () =>
          request.itemId
            ? listItemTopBidders(sql, request.itemId, order, limit)
            : listTopBidders(sql, leaderboards, { order, currency: request.currency, limit })
        const bidders = await queries.run(query, signal)
        return { bidders }
      },

      async getMarketActivity(request, { signal }) {
        const { fromMs, toMs, bucketMs } = activitySpan(request, Date.now())
        const query = () => getMarketActivity(sql, fromMs, toMs, bucketMs)
        return await queries.run(query, signal)
      },
    })
}

/** What a request for activity covers. Throws INVALID_ARGUMENT that says what to change. */
export function activitySpan(
  request: Pick<GetMarketActivityRequest, 'from' | 'to' | 'bucket'>,
  nowMs: number,
): { fromMs: number; toMs: number; bucketMs: number } {
  const bucketMs = request.bucket ? durationMs(request.bucket) : DEFAULT_BUCKET_MS
  if (bucketMs % MINUTE_MS !== 0) throw refused('bucket must be whole minutes, e.g. "300s"')
  const toMs = request.to ? timestampMs(request.to) : nowMs
  const askedFromMs = request.from ? timestampMs(request.from) : toMs - DEFAULT_SPAN_MS
  if (askedFromMs >= toMs) throw refused('from must be before to')
  if (toMs > MAX_TIME_MS) throw refused('to must not be after the year 9999')
  if (askedFromMs < 0) throw refused('from must not be before 1970')
  const fromMs = askedFromMs - (askedFromMs % bucketMs)
  if ((toMs - fromMs) / bucketMs > MAX_BUCKETS) {
    throw refused(`at most ${MAX_BUCKETS} buckets: choose a larger bucket or a shorter time`)
  }
  return { fromMs, toMs, bucketMs }
}

function refused(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument)
}
