/** My bids: what the user leads, has been outbid on, won and lost, live; and what it all adds up to. */
import {
  Anchor,
  Badge,
  Box,
  Paper,
  Skeleton,
  Stack,
  Tabs,
  Text,
  Title,
  VisuallyHidden,
} from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { Link } from 'wouter'
import { ConnectionBanner } from '../app/connection-banner.tsx'
import { MyBidRow, MyBidRowSkeleton } from './my-bid-row.tsx'
import { type MyBid, ofStanding, type Standing } from './my-bids.ts'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { SignInFirst } from '../ui/sign-in-first.tsx'
import { StatTiles } from '../market/stat-tiles.tsx'
import { formatCount, formatSums } from '../market/sums.ts'
import { useMyBids, useMyStats } from './use-my-bids.ts'
import { useUser } from '../app/user.tsx'

const standings = {
  leading: { label: 'Leading', color: 'green', none: 'You are not leading any auction right now' },
  outbid: { label: 'Outbid', color: 'red', none: 'Nobody has outbid you' },
  won: { label: 'Won', color: 'baize', none: 'You have not won anything yet' },
  lost: { label: 'Lost', color: 'gray', none: 'You have not lost any auction' },
} as const satisfies Record<Standing, object>

const order = ['leading', 'outbid', 'won', 'lost'] as const
const SKELETONS = ['a', 'b', 'c', 'd'] as const

export function MyPage() {
  const { userId } = useUser()
  useDocumentTitle('My bids · Bidmesh')
  if (userId === '') return <SignInFirst what="see your bids" />
  // Another user is another page: nothing of the one before may show.
  return <MyBidsPage key={userId} userId={userId} />
}

function MyBidsPage({ userId }: { userId: string }) {
  const { bids, isPending, error, retry, connection, isCut } = useMyBids(userId)
  // Only at first: an item bid on later joins a page that is there already.
  const [isReady, setIsReady] = useState(false)
  if (!isPending && !error && !isReady) setIsReady(true)
  const isEmpty = !isPending && !error && bids.length === 0
  return (
    <>
      <Title order={1} size="h2" mb="sm">
        My bids
      </Title>
      <ConnectionBanner connection={connection} />
      <Totals userId={userId} />
      {error && <ErrorState error={error} retry={retry} />}
      {isEmpty && (
        <EmptyState title="You have not bid on anything yet">
          <Anchor component={Link} href="/">
            Browse auctions
          </Anchor>
        </EmptyState>
      )}
      {!isReady && !error && <Skeletons />}
      {isReady && bids.length > 0 && <Standings bids={bids} />}
      {isCut && bids.length > 0 && (
        <Text size="sm" c="dimmed" mt="md">
          These are the {bids.length} items you bid on last.
        </Text>
      )}
    </>
  )
}

function Totals({ userId }: { userId: string }) {
  const { data, error, refetch } = useMyStats(userId)
  const stats = data?.stats
  const sums = (field: 'highestBid' | 'totalAmount' | 'amountWon') =>
    stats &&
    formatSums(
      stats.amounts.map(({ currency, [field]: amountMinor }) => ({ currency, amountMinor })),
    )
  const count = (value: bigint | undefined) =>
    value === undefined ? undefined : formatCount(value)
  if (error && !data) {
    return (
      <Box mb="md">
        <ErrorState error={error} retry={() => void refetch()} />
      </Box>
    )
  }
  const tiles = [
    { label: 'Bids', value: count(stats?.totalBids) },
    { label: 'Items bid on', value: count(stats?.itemsBidOn) },
    { label: 'Items won', value: count(stats?.itemsWon) },
    { label: 'Highest bid', value: sums('highestBid') },
    { label: 'Total of all bids', value: sums('totalAmount') },
    { label: 'Total spent', value: sums('amountWon') },
  ]
  const isUnknown = stats?.amounts.some(({ currency }) => currency === '')
  return (
    <Stack gap={6} mb="lg">
      <StatTiles tiles={tiles} label="Your totals" />
      {isUnknown && (
        <Text size="xs" c="dimmed">
          Amounts without a currency were counted before totals were kept by currency.
        </Text>
      )}
    </Stack>
  )
}

function Standings({ bids }: { bids: readonly MyBid[] }) {
  const groups = order.map((standing) => ({ standing, group: ofStanding(bids, standing) }))
  const first = groups.find(({ group }) => group.length > 0)?.standing ?? 'leading'
  // The first that has something, until the user chooses: what moves elsewhere must not turn the page.
  const [opened] = useState<Standing>(first)
  const [chosen, setChosen] = useState<Standing>()
  const choose = (value: string | null): void => setChosen(order.find((one) => one === value))
  return (
    <Tabs value={chosen ?? opened} onChange={choose} keepMounted={false}>
      <Tabs.List>
        {groups.map(({ standing, group }) => (
          <Tabs.Tab
            key={standing}
            value={standing}
            px={{ base: 6, xs: 'md' }}
            rightSection={
              <Badge size="sm" variant="light" color={standings[standing].color} px={6} miw={20}>
                {group.length}
              </Badge>
            }
          >
            {standings[standing].label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Announcement bids={bids} />
      {groups.map(({ standing, group }) => (
        <Tabs.Panel key={standing} value={standing} pt="sm">
          {group.length === 0 && <EmptyState title={standings[standing].none} />}
          {group.length > 0 && (
            <Paper withBorder component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
              {group.map((bid) => (
                <MyBidRow key={bid.item.id} bid={bid} />
              ))}
            </Paper>
          )}
        </Tabs.Panel>
      ))}
    </Tabs>
  )
}

/** For who does not see the counts move. */
function Announcement({ bids }: { bids: readonly MyBid[] }) {
  const outbid = ofStanding(bids, 'outbid').length
  const leading = ofStanding(bids, 'leading').length
  return (
    <VisuallyHidden role="status">
      You lead {leading} and are outbid on {outbid} items.
    </VisuallyHidden>
  )
}

function Skeletons() {
  return (
    <>
      <VisuallyHidden role="status">Loading</VisuallyHidden>
      <Skeleton h={38} />
      <Paper withBorder mt="sm" aria-hidden>
        {SKELETONS.map((key) => (
          <MyBidRowSkeleton key={key} />
        ))}
      </Paper>
    </>
  )
}
