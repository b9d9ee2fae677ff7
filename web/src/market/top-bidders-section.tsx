/** Who bids most, offers most, wins most. */
import { Box, SegmentedControl } from '@mantine/core'
import { useQuery } from '@connectrpc/connect-query'
import {
  ListTopBiddersRequest_OrderBy as OrderBy,
  UserStatsService,
} from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { BIDDERS_MAX, bidderColumns, BidderTable } from './bidder-table.tsx'
import { CsvButton } from './csv-button.tsx'
import { OTHER_OPACITY, refreshing } from './market-refresh.ts'
import { Section } from '../ui/section.tsx'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { useUser } from '../app/user.tsx'

const rankings = {
  bids: { label: 'Bids', words: 'by bids', orderBy: OrderBy.TOTAL_BIDS },
  amount: { label: 'Amount', words: 'by amount bid', orderBy: OrderBy.TOTAL_AMOUNT },
  won: { label: 'Won', words: 'by items won', orderBy: OrderBy.ITEMS_WON },
} as const

export type Ranking = keyof typeof rankings

export function isRanking(text: string): text is Ranking {
  return Object.hasOwn(rankings, text)
}

export type TopBiddersSectionProps = {
  ranking: Ranking
  onRanking: (ranking: Ranking) => void
  /** Whose sums rank by amount; empty: the one most bidders have. */
  currency: string
  isLive: boolean
}

export function TopBiddersSection({
  ranking,
  onRanking,
  currency,
  isLive,
}: TopBiddersSectionProps) {
  const { userId } = useUser()
  const { data, error, refetch, isPlaceholderData } = useQuery(
    UserStatsService.method.listTopBidders,
    {
      orderBy: rankings[ranking].orderBy,
      limit: BIDDERS_MAX,
      currency: ranking === 'amount' ? currency : '',
    },
    refreshing(isLive),
  )
  const rows = isPlaceholderData ? [] : (data?.bidders ?? [])
  const inCurrency = ranking === 'amount' && currency !== '' ? ` in ${currency}` : ''
  const title = `Top bidders ${rankings[ranking].words}${inCurrency}`
  const actions = (
    <>
      <SegmentedControl
        size="xs"
        aria-label="Order of the top bidders"
        value={ranking}
        onChange={(value) => isRanking(value) && onRanking(value)}
        data={Object.entries(rankings).map(([value, { label }]) => ({ value, label }))}
      />
      <CsvButton title={title} columns={bidderColumns(rows)} rows={rows} />
    </>
  )
  return (
    <Section
      title={`Top bidders${inCurrency}`}
      isOld={error !== null && data !== undefined}
      actions={actions}
    >
      {error && !data && <ErrorState error={error} retry={() => void refetch()} />}
      {data?.bidders.length === 0 && <EmptyState title="Nobody has bid yet" />}
      {(data || !error) && data?.bidders.length !== 0 && (
        <Box aria-busy={isPlaceholderData} {...(isPlaceholderData && { opacity: OTHER_OPACITY })}>
          <BidderTable caption={title} bidders={data?.bidders} userId={userId} />
        </Box>
      )}
    </Section>
  )
}
