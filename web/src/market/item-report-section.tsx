/** What the statistics say of one item, and who bid on it. */
import { Anchor, Box, Group, Stack, Title } from '@mantine/core'
import { IconArrowRight } from '@tabler/icons-react'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { skipToken, useQuery } from '@connectrpc/connect-query'
import { BidService, type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import {
  type ItemStats,
  ListTopBiddersRequest_OrderBy as OrderBy,
  UserStatsService,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { Link } from 'wouter'
import { BIDDERS_MAX, bidderColumns, BidderTable } from './bidder-table.tsx'
import { CsvButton } from './csv-button.tsx'
import { type CsvColumn, csvTime } from './csv.ts'
import { ItemPicker } from './item-picker.tsx'
import { refreshing } from './market-refresh.ts'
import { formatMoney } from '../ui/money.ts'
import { Section } from '../ui/section.tsx'
import { StatTiles } from './stat-tiles.tsx'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { formatCount } from './sums.ts'
import { formatDay, formatTime } from '../ui/time.ts'
import { useUser } from '../app/user.tsx'

type Timestamp = NonNullable<ItemStats['firstBidAt']>
type Report = { item: Item; stats: ItemStats }

const time = (at: Timestamp | undefined) => (at ? csvTime(timestampMs(at)) : undefined)

const columns: readonly CsvColumn<Report>[] = [
  { name: 'item_id', value: ({ item }) => item.id },
  { name: 'title', value: ({ item }) => item.title },
  { name: 'currency', value: ({ item }) => item.currency },
  { name: 'bids', value: ({ stats }) => stats.totalBids },
  { name: 'unique_bidders', value: ({ stats }) => stats.uniqueBidders },
  { name: 'highest_bid_minor', value: ({ stats }) => stats.highestBid },
  { name: 'first_bid_at', value: ({ stats }) => time(stats.firstBidAt) },
  { name: 'last_bid_at', value: ({ stats }) => time(stats.lastBidAt) },
  { name: 'outcome', value: outcomeOf },
  { name: 'hammer_price_minor', value: ({ stats }) => stats.hammerPrice },
]

function outcomeOf({ item, stats }: Report): 'sold' | 'unsold' | 'cancelled' | 'open' {
  if (stats.outcome === ItemOutcome.SOLD) return 'sold'
  if (stats.outcome === ItemOutcome.UNSOLD) return 'unsold'
  return item.status === ItemStatus.CANCELLED ? 'cancelled' : 'open'
}

export type ItemReportSectionProps = {
  /** Empty: none is chosen. */
  itemId: string
  onItemId: (itemId: string) => void
  isLive: boolean
}

export function ItemReportSection({ itemId, onItemId, isLive }: ItemReportSectionProps) {
  const report = useReport(itemId, isLive)
  return (
    <Section title="One item" isOld={report.isOld}>
      <Stack gap="md">
        <Box maw={480}>
          <ItemPicker item={report.item} onItemId={onItemId} />
        </Box>
        {itemId === '' && (
          <EmptyState title="Choose an item">
            Its bids, bidders and outcome are shown here.
          </EmptyState>
        )}
        {report.failure && <ErrorState error={report.failure} retry={report.retry} />}
        {itemId !== '' && !report.failure && (
          <ItemReport key={itemId} itemId={itemId} report={report} />
        )}
      </Stack>
    </Section>
  )
}

function useReport(itemId: string, isLive: boolean) {
  const isNone = itemId === ''
  const { refetchInterval } = refreshing(isLive)
  const item = useQuery(BidService.method.getItem, isNone ? skipToken : { id: itemId }, {
    refetchInterval,
  })
  // Of an item that is not there nothing else is asked.
  const options = { refetchInterval, enabled: !item.isLoadingError }
  const stats = useQuery(
    UserStatsService.method.getItemStats,
    isNone ? skipToken : { itemId },
    options,
  )
  const leaders = useQuery(
    UserStatsService.method.listTopBidders,
    isNone ? skipToken : { itemId, orderBy: OrderBy.TOTAL_AMOUNT, limit: BIDDERS_MAX },
    options,
  )
  const queries = [item, stats, leaders]
  const failed = queries.filter(({ isLoadingError }) => isLoadingError)
  return {
    item: item.data?.item,
    stats: stats.data?.stats,
    bidders: leaders.data?.bidders,
    isOld: queries.some(({ isRefetchError }) => isRefetchError),
    /** Why something of it is not there at all. */
    failure: failed[0]?.error,
    retry: () => failed.forEach((query) => void query.refetch()),
  }
}

type ItemReportProps = { itemId: string; report: ReturnType<typeof useReport> }

function ItemReport({ itemId, report: { item, stats, bidders } }: ItemReportProps) {
  const { userId } = useUser()
  const title = item?.title ?? itemId
  const caption = `Bidders on ${title}`
  const rows = item && stats ? [{ item, stats }] : []
  return (
    <>
      <Group justify="space-between" gap="xs">
        <Anchor component={Link} href={`/items/${itemId}`} size="sm">
          <Group gap={4} component="span">
            View auction <IconArrowRight size={14} aria-hidden />
          </Group>
        </Anchor>
        <CsvButton title={`Statistics of ${title}`} columns={columns} rows={rows} />
      </Group>
      <StatTiles tiles={tilesOf(rows[0])} label={`Statistics of ${title}`} />
      {bidders?.length === 0 && <EmptyState title="Nobody has bid on it yet" />}
      {bidders?.length !== 0 && (
        <div>
          <Group justify="space-between" mb={4}>
            <Title order={3} size="h5">
              Bidders
            </Title>
            <CsvButton
              title={caption}
              columns={bidderColumns(bidders ?? [])}
              rows={bidders ?? []}
            />
          </Group>
          <BidderTable caption={caption} bidders={bidders} userId={userId} />
        </div>
      )}
    </>
  )
}

const outcomeWords = { unsold: 'Not sold', cancelled: 'Cancelled', open: 'Still open' } as const

function tilesOf(report: Report | undefined) {
  const stats = report?.stats
  const when = (label: string, at: Timestamp | undefined) => {
    const ms = at && timestampMs(at)
    const [value, hint] = ms === undefined ? ['–', ''] : [formatTime(ms), formatDay(ms)]
    return { label, value: stats && value, hint }
  }
  const money = (amount: bigint) =>
    report && amount > 0n ? formatMoney(amount, report.item.currency) : '–'
  const outcome = report && outcomeOf(report)
  return [
    { label: 'Bids', value: stats && formatCount(stats.totalBids), hint: '' },
    {
      label: 'Bidders',
      value: stats && formatCount(stats.uniqueBidders),
      hint: 'different people',
    },
    { label: 'Highest bid', value: stats && money(stats.highestBid), hint: '' },
    when('First bid', stats?.firstBidAt),
    when('Last bid', stats?.lastBidAt),
    outcome === 'sold'
      ? { label: 'Hammer price', value: stats && money(stats.hammerPrice), hint: 'sold' }
      : { label: 'Outcome', value: outcome && outcomeWords[outcome], hint: '' },
  ]
}
