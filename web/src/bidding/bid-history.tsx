/** The bids of an item, newest first: the table behind the chart. */
import { isYou } from '../ui/person-name.ts'
import { Button, Center, Skeleton, Stack, Table, Text } from '@mantine/core'
import { useState } from 'react'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Bid } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { formatWhen } from '../item/item-words.ts'
import { formatMoney } from '../ui/money.ts'
import { Person } from '../ui/person.tsx'
import { Section } from '../ui/section.tsx'
import { serverNow } from '../app/server-time.tsx'
import { ErrorState } from '../ui/states.tsx'
import type { Bids } from './use-bids.ts'
import styles from '../item/item-page.module.css'

/** Shown at first, and how many more at a time. */
const ROWS_FIRST = 8
const ROWS_MORE = 25

export type BidHistoryProps = { bids: Bids; currency: string; userId: string }

export function BidHistory(props: BidHistoryProps) {
  return (
    <Section title="Bids">
      <Rows {...props} />
    </Section>
  )
}

function Rows({ bids, currency, userId }: BidHistoryProps) {
  const [shown, setShown] = useState(ROWS_FIRST)
  // Bids that were there when the page opened are no news.
  const [newest] = useState(() => bids.all[0]?.sequence)
  if (bids.error && bids.all.length === 0)
    return <ErrorState error={bids.error} retry={bids.retry} />
  if (bids.loading) return <RowsLoading />
  if (bids.all.length === 0) return <Text c="dimmed">Nobody has bid yet. Be the first.</Text>

  const more = bids.hasMore || bids.all.length > shown
  const showMore = (): void => {
    const next = shown + ROWS_MORE
    setShown(next)
    if (next > bids.all.length && bids.hasMore) bids.loadMore()
  }
  return (
    <>
      <Table
        verticalSpacing={6}
        horizontalSpacing={6}
        aria-label="Bids"
        className={styles['bids'] ?? ''}
      >
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Bidder</Table.Th>
            <Table.Th ta="right">Amount</Table.Th>
            <Table.Th ta="right">When</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {bids.all.slice(0, shown).map((bid) => (
            <Row
              key={bid.id}
              {...{ bid, currency, userId }}
              fresh={newest !== undefined && bid.sequence > newest}
            />
          ))}
        </Table.Tbody>
      </Table>
      {more && (
        <Center mt="sm">
          <Button variant="subtle" size="xs" loading={bids.loadingMore} onClick={showMore}>
            Show more
          </Button>
        </Center>
      )}
    </>
  )
}

type RowProps = { bid: Bid; currency: string; userId: string; fresh: boolean }

function Row({ bid, currency, userId, fresh }: RowProps) {
  const atMs = bid.createdAt ? timestampMs(bid.createdAt) : 0
  return (
    <Table.Tr className={fresh ? 'just-changed' : ''}>
      <Table.Td maw={160}>
        <Person userId={bid.userId} you={isYou(bid.userId, userId)} />
      </Table.Td>
      <Table.Td ta="right" fw={600}>
        {formatMoney(bid.amount, currency)}
      </Table.Td>
      <Table.Td ta="right" c="dimmed" className={styles['when'] ?? ''}>
        {formatWhen(atMs, serverNow())}
      </Table.Td>
    </Table.Tr>
  )
}

function RowsLoading() {
  return (
    <Stack gap="xs" role="status" aria-label="Loading bids">
      {Array.from({ length: 4 }, (_, row) => (
        <Skeleton key={row} h={30} />
      ))}
    </Stack>
  )
}
