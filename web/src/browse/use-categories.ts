/** Categories to choose from. They are free text, so those in use are the ones there are. */
import { useQuery } from '@connectrpc/connect-query'
import {
  BidService,
  type Item,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'

/** As many of the newest items are looked at: the most a page may have. */
const LOOKED_AT = 100
/** New categories are rare. */
const STALE_MS = 60_000

/** Those of the newest items, most used first. */
export function useCategories(): readonly string[] {
  const request = { pageSize: LOOKED_AT, orderBy: OrderBy.NEWEST }
  const { data } = useQuery(BidService.method.listItems, request, {
    staleTime: STALE_MS,
    refetchInterval: STALE_MS,
  })
  return data ? categoriesOf(data.items) : none
}

const none: readonly string[] = []

export function categoriesOf(items: readonly Pick<Item, 'category'>[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { category } of items) {
    if (category !== '') counts.set(category, (counts.get(category) ?? 0) + 1)
  }
  const ranked = [...counts].toSorted(([a, m], [b, n]) => n - m || a.localeCompare(b))
  return ranked.map(([category]) => category)
}
