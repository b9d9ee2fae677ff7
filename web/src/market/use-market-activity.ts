/** What happens on the market within a range of time, renewed as it goes on. */
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { useQuery } from '@connectrpc/connect-query'
import { UserStatsService } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { useSyncExternalStore } from 'react'
import { activityFromMs, type Range, ranges } from './activity-range.ts'
import { refreshing } from './market-refresh.ts'
import { serverNow } from '../app/server-time.tsx'

const LOOK_MS = 1_000

export type MarketActivity = ReturnType<typeof useMarketActivity>

export function useMarketActivity(range: Range, isLive: boolean) {
  const fromMs = useFromMs(range)
  return useQuery(
    UserStatsService.method.getMarketActivity,
    { from: timestampFromMs(fromMs), bucket: durationFromMs(ranges[range].bucketMs) },
    refreshing(isLive),
  )
}

function everyLook(look: () => void): () => void {
  const timer = setInterval(look, LOOK_MS)
  return () => clearInterval(timer)
}

/** Moves on with the buckets, by the server's clock; another range has its own at once. */
function useFromMs(range: Range): number {
  return useSyncExternalStore(everyLook, () => activityFromMs(range, serverNow()))
}
