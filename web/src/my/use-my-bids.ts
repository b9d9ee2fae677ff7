/** What the user has bid on, with each item as it is now. */
import { useEffect } from 'react'
import {
  createQueryOptions,
  useInfiniteQuery,
  useQuery,
  useTransport,
} from '@connectrpc/connect-query'
import { useQueries } from '@tanstack/react-query'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { UserStatsService } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import type { Connection } from '../app/follow-stream.ts'
import { refreshWhenKnown } from '../market/market-refresh.ts'
import { groupByItem, type MyBid, toMyBid } from './my-bids.ts'
import { useListStream, withUpdate } from '../browse/use-list-stream.ts'

/** The items last bid on: as many as a page can show and still be read. */
const ITEMS_MAX = 50
/** Of the most bids a page may have: who has bid a thousand times on a few items sees those. */
const PAGE_SIZE = 100
const PAGES_MAX = 10

export type MyBids = {
  bids: readonly MyBid[]
  /** Not everything is there yet. */
  isPending: boolean
  /** Null: none. */
  error: Error | null
  retry: () => void
  connection: Connection
  /** There are older bids on other items. */
  isCut: boolean
}

export function useMyBids(userId: string): MyBids {
  const list = useInfiniteQuery(
    BidService.method.listUserBids,
    { userId, pageSize: PAGE_SIZE, pageToken: '' },
    {
      pageParamKey: 'pageToken',
      getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
      // For bids placed elsewhere; prices come by the stream.
      refetchInterval: refreshWhenKnown,
    },
  )
  const pages = list.data?.pages ?? []
  const groups = groupByItem(pages.flatMap((page) => page.bids))
  const { hasNextPage, isFetching, isError, fetchNextPage } = list
  const wanted = hasNextPage && groups.length < ITEMS_MAX && pages.length < PAGES_MAX
  useEffect(() => {
    if (wanted && !isFetching && !isError) void fetchNextPage()
  }, [wanted, isFetching, isError, fetchNextPage])

  const shown = groups.slice(0, ITEMS_MAX)
  const transport = useTransport()
  const items = useQueries({
    queries: shown.map(({ itemId }) =>
      createQueryOptions(BidService.method.getItem, { id: itemId }, { transport }),
    ),
  })
  const { updates, connection } = useListStream(shown.map(({ itemId }) => itemId))
  const failed = items.find((item) => item.isError && !item.data)
  const retry = (): void => {
    void list.refetch()
    for (const item of items) if (item.isError) void item.refetch()
  }
  return {
    bids: shown.flatMap((group, index) => {
      const item = items[index]?.data?.item
      return item ? [toMyBid(withUpdate(item, updates.get(item.id)), group, userId)] : []
    }),
    isPending: list.isPending || items.some((item) => item.isPending),
    error: (list.data ? null : list.error) ?? failed?.error ?? null,
    retry,
    connection,
    isCut: groups.length > ITEMS_MAX || (hasNextPage && !wanted),
  }
}

export function useMyStats(userId: string) {
  const options = { refetchInterval: refreshWhenKnown }
  return useQuery(UserStatsService.method.getUserStats, { userId }, options)
}
