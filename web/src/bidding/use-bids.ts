/** The bids of an item: pages of history with what the stream tells on top, asked for again when any are missing. */
import { useEffect, useMemo } from 'react'
import { useInfiniteQuery, useQuery } from '@connectrpc/connect-query'
import { type Bid, BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { bidsMissing, mergeBids, topBids } from './bid-list.ts'
import type { ItemView } from '../item/item-view.ts'

const PAGE_SIZE = 25
/** What is missing is asked for at most this often, however fast others bid. */
const GATHER_MS = 300
const AFTER_ERROR_MS = 5_000

export type Bids = {
  /** Newest first. */
  all: readonly Bid[]
  top: readonly Bid[]
  loading: boolean
  error: unknown
  retry: () => void
  /** Older ones can be had. */
  hasMore: boolean
  loadingMore: boolean
  loadMore: () => void
}

export function useBids({ item, bids: live }: ItemView): Bids {
  const itemId = item.id
  const history = useInfiniteQuery(
    BidService.method.getItemBids,
    { itemId, pageSize: PAGE_SIZE, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const leaders = useQuery(LiveService.method.listTopBids, { itemId })
  const pages = history.data?.pages
  const all = useMemo(
    () => mergeBids(...(pages?.map(({ bids }) => bids) ?? []), live),
    [pages, live],
  )
  const top = useMemo(() => topBids([...(leaders.data?.bids ?? []), ...all]), [leaders.data, all])

  const missing = history.isSuccess && bidsMissing(all, item.sequence)
  const { refetch: refetchHistory, fetchNextPage, isFetching, isError } = history
  const { refetch: refetchLeaders } = leaders
  useEffect(() => {
    if (!missing || isFetching) return undefined
    const timer = setTimeout(
      () => {
        void refetchHistory()
        void refetchLeaders()
      },
      isError ? AFTER_ERROR_MS : GATHER_MS,
    )
    return () => clearTimeout(timer)
  }, [missing, isFetching, isError, refetchHistory, refetchLeaders])

  return {
    all,
    top,
    loading: history.isPending,
    error: history.error,
    retry: () => void refetchHistory(),
    hasMore: history.hasNextPage,
    loadingMore: history.isFetchingNextPage,
    loadMore: () => void fetchNextPage(),
  }
}
