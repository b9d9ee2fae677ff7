/** The leaders, one a row: over all items, or on one. */
import { isYou } from '../ui/person-name.ts'
import { Button, Center, Skeleton, Table, Text, VisuallyHidden } from '@mantine/core'
import type { TopBidder } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { useState } from 'react'
import { type CsvColumn, csvMoney } from './csv.ts'
import { Person } from '../ui/person.tsx'
import { formatCount, formatSums } from './sums.ts'

/** One row per bidder, with the sums of each currency in columns of its own. */
export function bidderColumns(bidders: readonly TopBidder[]): readonly CsvColumn<TopBidder>[] {
  const currencies = new Set(bidders.flatMap(({ amounts }) => amounts.map((each) => each.currency)))
  const sum = (currency: string, field: 'totalAmount' | 'highestBid' | 'amountWon') => {
    return ({ amounts }: TopBidder) => amounts.find((each) => each.currency === currency)?.[field]
  }
  return [
    { name: 'bidder', value: ({ userId }) => userId },
    { name: 'bids', value: ({ totalBids }) => totalBids },
    { name: 'items_won', value: ({ itemsWon }) => itemsWon },
    ...[...currencies].toSorted().flatMap((currency) => [
      { name: csvMoney('amount', currency), value: sum(currency, 'totalAmount') },
      { name: csvMoney('highest_bid', currency), value: sum(currency, 'highestBid') },
      { name: csvMoney('amount_won', currency), value: sum(currency, 'amountWon') },
    ]),
  ]
}

/** As many as the service gives at once: all of them are in the CSV. */
export const BIDDERS_MAX = 100
/** Before one asks for the others. */
const SHOWN_FIRST = 10
/** What a phone has no room for. */
const WIDE = 'sm'
/** One for each currency. */
const LINES = { whiteSpace: 'pre-line' } as const
const SKELETONS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'] as const

export type BidderTableProps = {
  caption: string
  /** Undefined while they are being asked for. */
  bidders: readonly TopBidder[] | undefined
  /** Who looks. */
  userId: string
}

export function BidderTable({ caption, bidders, userId }: BidderTableProps) {
  const [isAll, setIsAll] = useState(false)
  const shown = isAll ? bidders : bidders?.slice(0, SHOWN_FIRST)
  const more = (bidders?.length ?? 0) - (shown?.length ?? 0)
  return (
    <>
      <Table.ScrollContainer
        minWidth={320}
        pb={0}
        scrollAreaProps={{ viewportProps: { tabIndex: 0, 'aria-label': caption } }}
      >
        <Table
          verticalSpacing={7}
          horizontalSpacing={8}
          highlightOnHover
          style={{ fontVariantNumeric: 'tabular-nums' }}
          aria-busy={bidders === undefined}
          aria-label={caption}
        >
          <Head />
          <Table.Tbody>
            {shown?.map((bidder, index) => (
              <BidderRow key={bidder.userId} {...{ bidder, index, userId }} />
            ))}
            {!shown && SKELETONS.map((key) => <SkeletonRow key={key} />)}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {(more > 0 || isAll) && (
        <Center mt="xs">
          <Button size="xs" variant="subtle" onClick={() => setIsAll(!isAll)}>
            {isAll ? `Show the first ${SHOWN_FIRST}` : `Show ${more} more`}
          </Button>
        </Center>
      )}
    </>
  )
}

function Head() {
  return (
    <Table.Thead>
      <Table.Tr>
        <Table.Th scope="col" w={36} ta="right" visibleFrom={WIDE}>
          <VisuallyHidden>Rank</VisuallyHidden>
          <span aria-hidden>#</span>
        </Table.Th>
        <Table.Th scope="col">Bidder</Table.Th>
        <Table.Th scope="col" ta="right">
          Bids
        </Table.Th>
        <Table.Th scope="col" ta="right">
          Amount bid
        </Table.Th>
        <Table.Th scope="col" ta="right" visibleFrom={WIDE}>
          Highest bid
        </Table.Th>
        <Table.Th scope="col" ta="right">
          Won
        </Table.Th>
      </Table.Tr>
    </Table.Thead>
  )
}

type BidderRowProps = {
  bidder: TopBidder
  index: number
  userId: string
}

function BidderRow({ bidder, index, userId }: BidderRowProps) {
  const sums = (field: 'totalAmount' | 'highestBid') =>
    formatSums(
      bidder.amounts.map(({ currency, [field]: amountMinor }) => ({ currency, amountMinor })),
    )
  const you = isYou(bidder.userId, userId)
  return (
    <Table.Tr {...(you && { bg: 'var(--mantine-primary-color-light)' })}>
      <Table.Td ta="right" visibleFrom={WIDE}>
        <Text span size="sm" c="dimmed">
          {index + 1}
        </Text>
      </Table.Td>
      <Table.Td maw={{ base: 110, sm: 220 }}>
        <Person userId={bidder.userId} you={you} size={24} />
      </Table.Td>
      <Table.Td ta="right">{formatCount(bidder.totalBids)}</Table.Td>
      <Table.Td ta="right" style={LINES}>
        {sums('totalAmount')}
      </Table.Td>
      <Table.Td ta="right" visibleFrom={WIDE} style={LINES}>
        {sums('highestBid')}
      </Table.Td>
      <Table.Td ta="right">{formatCount(bidder.itemsWon)}</Table.Td>
    </Table.Tr>
  )
}

function SkeletonRow() {
  return (
    <Table.Tr aria-hidden>
      <Table.Td colSpan={6}>
        <Skeleton h={24} />
      </Table.Td>
    </Table.Tr>
  )
}
