/**
 * Browse: what is on offer, as cards that go on while one scrolls. The list is asked for once; prices, ends
 * and status then come by a stream, so that what ends while it is looked at ends in its place.
 */
import { Anchor, Button, Center, SimpleGrid, Title, VisuallyHidden } from '@mantine/core'
import { useDocumentTitle, useIntersection } from '@mantine/hooks'
import { useInfiniteQuery } from '@connectrpc/connect-query'
import { keepPreviousData } from '@tanstack/react-query'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { useEffect } from 'react'
import { Link, useSearchParams } from 'wouter'
import { BrowseControls } from './browse-controls.tsx'
import { type BrowseFilter, orders, readFilter, statuses, writeFilter } from './browse-filter.ts'
import { ConnectionBanner } from './connection-banner.tsx'
import { ItemCard, ItemCardSkeleton } from './item-card.tsx'
import { EmptyState, ErrorState } from './states.tsx'
import { useListStream, withUpdate } from './use-list-stream.ts'
import { useUser } from './user.tsx'
import styles from './browse-page.module.css'

/** Rows of two, three and four cards come out even. */
const PAGE_SIZE = 24
const SKELETONS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const
/** The next page is asked for this far before the end is in sight. */
const AHEAD = '600px'

const columns = { base: 2, sm: 3, lg: 4 } as const
const gaps = { base: 'sm', sm: 'md' } as const

export function BrowsePage() {
  useDocumentTitle('Bidmesh: auctions, live')
  const [params, setParams] = useSearchParams()
  const filter = readFilter(params)
  const change = (next: BrowseFilter): void => {
    // Words that are typed on are one step back, not one a pause.
    const typedOn = filter.query !== '' && next.query !== filter.query
    setParams(writeFilter(next), { replace: typedOn })
  }
  return (
    <>
      <Title order={1} size="h2" mb="sm">
        Browse auctions
      </Title>
      <BrowseControls filter={filter} onChange={change} />
      <Results filter={filter} clear={() => setParams(new URLSearchParams())} />
    </>
  )
}

function useItems({ query, category, status, order }: BrowseFilter) {
  return useInfiniteQuery(
    BidService.method.listItems,
    {
      query,
      category,
      status: statuses[status].status,
      orderBy: orders[order].orderBy,
      pageSize: PAGE_SIZE,
      pageToken: '',
    },
    {
      pageParamKey: 'pageToken',
      getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
      // Another filter shows the old cards until the new ones are there: nothing jumps twice.
      placeholderData: keepPreviousData,
    },
  )
}

function Results({ filter, clear }: { filter: BrowseFilter; clear: () => void }) {
  const { userId } = useUser()
  const list = useItems(filter)
  const items = distinct(list.data?.pages.flatMap((page) => page.items) ?? [])
  const { updates, connection } = useListStream(items.map(({ id }) => id))
  const retry = (): void => void list.refetch()
  if (list.isPending) return <Skeletons />
  return (
    <>
      <ConnectionBanner connection={connection} />
      <VisuallyHidden role="status">
        {list.isPlaceholderData ? 'Loading' : `${items.length} items shown`}
      </VisuallyHidden>
      {list.isError && !list.isFetchNextPageError && (
        <ErrorState error={list.error} retry={retry} />
      )}
      {list.isSuccess && items.length === 0 && <NothingFound filter={filter} clear={clear} />}
      <SimpleGrid
        component="ul"
        className={styles['list'] ?? ''}
        cols={columns}
        spacing={gaps}
        mt="sm"
        aria-busy={list.isPlaceholderData}
      >
        {items.map((item) => (
          <li key={item.id}>
            <ItemCard item={withUpdate(item, updates.get(item.id))} userId={userId} />
          </li>
        ))}
      </SimpleGrid>
      {list.hasNextPage && <More list={list} />}
    </>
  )
}

/** An item that moved between pages while they were asked for comes twice: the first one stays. */
function distinct<Entry extends { id: string }>(entries: readonly Entry[]): readonly Entry[] {
  const seen = new Set<string>()
  return entries.filter(({ id }) => !seen.has(id) && seen.add(id))
}

/** Asks for more by itself when it comes into sight; the button is for keyboards, and after an error. */
function More({ list }: { list: ReturnType<typeof useItems> }) {
  const { ref, entry } = useIntersection({ rootMargin: AHEAD })
  const { fetchNextPage, isFetching, isFetchNextPageError, error } = list
  const wanted = (entry?.isIntersecting ?? false) && !isFetching && !isFetchNextPageError
  useEffect(() => {
    if (wanted) void fetchNextPage()
  }, [wanted, fetchNextPage])
  return (
    <Center ref={ref} mt="lg" mih={48}>
      {isFetchNextPageError ? (
        <ErrorState error={error} retry={() => void fetchNextPage()} />
      ) : (
        <Button
          variant="default"
          loading={list.isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          Load more
        </Button>
      )}
    </Center>
  )
}

function NothingFound({ filter, clear }: { filter: BrowseFilter; clear: () => void }) {
  const narrowed = writeFilter(filter).size > 0
  return (
    <EmptyState title={narrowed ? 'Nothing matches' : 'Nothing is on offer right now'}>
      {narrowed ? (
        <Button variant="light" mt="xs" onClick={clear}>
          Show everything that is open
        </Button>
      ) : (
        <Anchor component={Link} href="/sell">
          Be the first to sell something
        </Anchor>
      )}
    </EmptyState>
  )
}

function Skeletons() {
  return (
    <>
      <VisuallyHidden role="status">Loading</VisuallyHidden>
      <SimpleGrid cols={columns} spacing={gaps} mt="sm">
        {SKELETONS.map((key) => (
          <ItemCardSkeleton key={key} />
        ))}
      </SimpleGrid>
    </>
  )
}
