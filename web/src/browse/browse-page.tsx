/**
 * Browse: what is on offer, as cards that go on while one scrolls. It lives: what ends leaves after a moment,
 * newcomers come in or are announced, and nothing moves under a finger.
 */
import { Anchor, Button, Center, SimpleGrid, Title, VisuallyHidden } from '@mantine/core'
import { useDocumentTitle, useIntersection } from '@mantine/hooks'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { useEffect, useRef } from 'react'
import { Link, useSearchParams } from 'wouter'
import { BrowseControls } from './browse-controls.tsx'
import { type BrowseFilter, readFilter, writeFilter } from './browse-filter.ts'
import { ConnectionBanner } from '../app/connection-banner.tsx'
import { ItemCard, ItemCardSkeleton } from './item-card.tsx'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { type BrowsePages, useBrowseList } from './use-browse-list.ts'
import { useCalm } from '../bidding/use-calm.ts'
import { useUser } from '../app/user.tsx'
import styles from './browse-page.module.css'

const SKELETONS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const
/** The next page is asked for this far before the end is in sight. */
const AHEAD = '600px'
/** What is behind the header cannot be seen. */
const BELOW_HEADER = '-60px 0px 0px 0px'

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

function Results({ filter, clear }: { filter: BrowseFilter; clear: () => void }) {
  const { userId } = useUser()
  const { calm, events } = useCalm()
  const top = useIntersection<HTMLDivElement>({ rootMargin: BELOW_HEADER })
  const atTop = top.entry?.isIntersecting ?? true
  const { pages, connection, shown, fresh, showFresh } = useBrowseList({ filter, calm, atTop })
  const retry = (): void => void pages.refetch()
  if (pages.isPending) return <Skeletons />
  return (
    <>
      <ConnectionBanner connection={connection} />
      <div ref={top.ref} />
      <Fresh fresh={fresh} show={showFresh} />
      <VisuallyHidden role="status">
        {pages.isPlaceholderData ? 'Loading' : 'The list is up to date'}
      </VisuallyHidden>
      {pages.isError && !pages.isFetchNextPageError && (
        <ErrorState error={pages.error} retry={retry} />
      )}
      {pages.isSuccess && shown.length === 0 && !pages.hasNextPage && (
        <NothingFound filter={filter} clear={clear} />
      )}
      <SimpleGrid
        component="ul"
        className={styles['list'] ?? ''}
        cols={columns}
        spacing={gaps}
        mt="sm"
        aria-busy={pages.isPlaceholderData}
        {...events}
      >
        {shown.map((item) => (
          <li key={item.id} id={`card-${item.id}`}>
            <ItemCard item={item} userId={userId} />
          </li>
        ))}
      </SimpleGrid>
      {pages.hasNextPage && <More pages={pages} />}
    </>
  )
}

type FreshProps = { fresh: readonly Item[]; show: () => void }

/** Says that there are newcomers, and brings them in and into sight. Takes no room, so that nothing moves. */
function Fresh({ fresh, show }: FreshProps) {
  const first = useRef<string>(undefined)
  // Once they are in: the card is there now.
  useEffect(() => {
    const id = first.current
    if (id === undefined || fresh.length > 0) return
    first.current = undefined
    document.getElementById(`card-${id}`)?.scrollIntoView({ block: 'center' })
  }, [fresh])
  const press = (): void => {
    first.current = fresh[0]?.id
    show()
  }
  return (
    <div className={styles['fresh']} role="status">
      {fresh.length > 0 && (
        <Button radius="xl" size="sm" onClick={press} data-testid="fresh">
          {fresh.length} new: show
        </Button>
      )}
    </div>
  )
}

/** Asks for more by itself when it comes into sight; the button is for keyboards, and after an error. */
function More({ pages }: { pages: BrowsePages }) {
  const { ref, entry } = useIntersection({ rootMargin: AHEAD })
  const { fetchNextPage, isFetching, isFetchNextPageError, error } = pages
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
          loading={pages.isFetchingNextPage}
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
    <EmptyState title={narrowed ? 'No items match' : 'No open auctions right now'}>
      {narrowed ? (
        <Button variant="light" mt="xs" onClick={clear}>
          Show all open auctions
        </Button>
      ) : (
        <Anchor component={Link} href="/sell">
          List the first item
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
