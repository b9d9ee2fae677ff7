/**
 * The list of Browse as it lives: its pages, what streams tell of them, and every few seconds a look at what
 * is new, which also keeps it right while no stream can be had.
 */
import { useMemo, useState } from 'react'
import { useInfiniteQuery, useQuery } from '@connectrpc/connect-query'
import { keepPreviousData } from '@tanstack/react-query'
import { BidService, type Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { type BrowseFilter, orders, statuses, writeFilter } from './browse-filter.ts'
import { emptyList, followList, letIn } from './browse-list.ts'
import { useServerNow } from '../app/server-time.tsx'
import { useListStream, withUpdate } from './use-list-stream.ts'

/** Rows of two, three and four cards come out even. */
const PAGE_SIZE = 24
/** The most a page may have. */
const LOOK_SIZE_MAX = 100
/** How soon a new item is found; a list that nobody looks at is not asked for. */
const LOOK_MS = 5_000

export type BrowseListOptions = { filter: BrowseFilter; calm: boolean; atTop: boolean }

export function useBrowseList({ filter, calm, atTop }: BrowseListOptions) {
  const key = writeFilter(filter).toString()
  const pages = useItems(filter)
  const isOther = pages.isPlaceholderData
  const raw = useMemo(() => pages.data?.pages.flatMap(({ items }) => items) ?? [], [pages.data])
  const polled = useLook(filter, raw.length, pages.isSuccess && !isOther)
  const [list, setList] = useState(emptyList)
  const admitted = list.key === key ? list.admitted : none
  const { updates, connection } = useListStream(idsOf(raw, admitted))
  const items = useMemo(() => {
    const found = new Map(polled?.map((item) => [item.id, item]))
    return new Map(
      [...raw, ...admitted].map((item) => {
        const look = found.get(item.id)
        const newer = look && look.version > item.version ? look : item
        return [item.id, withUpdate(newer, updates.get(item.id))]
      }),
    )
  }, [raw, admitted, polled, updates])
  const nowMs = useServerNow()
  const next = followList(list, {
    key,
    loaded: raw,
    newest: items,
    hasMore: pages.hasNextPage,
    polled,
    status: statuses[filter.status].status,
    sort: filter.order,
    calm,
    atTop,
    nowMs,
  })
  // The old cards of another filter stay as they were until the new ones are there.
  const current = isOther ? list : next
  if (current !== list) setList(current)
  const shown = current.order.flatMap((id) => items.get(id) ?? [])
  return {
    pages,
    connection,
    shown: isOther && shown.length === 0 ? raw : shown,
    fresh: current.fresh,
    showFresh: () => setList(letIn(current)),
  }
}

const none: readonly Item[] = []

function idsOf(...lists: readonly (readonly Item[])[]): readonly string[] {
  return [...new Set(lists.flat().map(({ id }) => id))]
}

function requestOf({ query, category, currency, status, order }: BrowseFilter) {
  return {
    query,
    category,
    currency,
    status: statuses[status].status,
    orderBy: orders[order].orderBy,
  }
}

function useItems(filter: BrowseFilter) {
  return useInfiniteQuery(
    BidService.method.listItems,
    { ...requestOf(filter), pageSize: PAGE_SIZE, pageToken: '' },
    {
      pageParamKey: 'pageToken',
      getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
      // Another filter shows the old cards until the new ones are there: nothing jumps twice.
      placeholderData: keepPreviousData,
    },
  )
}

/** The first of the list, again and again: as many as are shown, in steps of a page. */
function useLook(filter: BrowseFilter, count: number, enabled: boolean) {
  const steps = Math.max(1, Math.ceil(count / PAGE_SIZE))
  const pageSize = Math.min(LOOK_SIZE_MAX, steps * PAGE_SIZE)
  const { data, isPlaceholderData } = useQuery(
    BidService.method.listItems,
    { ...requestOf(filter), pageSize },
    { enabled, refetchInterval: LOOK_MS, refetchIntervalInBackground: false },
  )
  return isPlaceholderData ? undefined : data?.items
}

export type BrowsePages = ReturnType<typeof useItems>
