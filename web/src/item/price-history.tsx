/** The price chart of an item: its data, kept up with the stream, and its frame while the chart is fetched. */
import { Box, Center, Skeleton, Text } from '@mantine/core'
import { type ReactNode, Suspense, useMemo } from 'react'
import { useQuery } from '@connectrpc/connect-query'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import type { ItemPhase } from './item-phase.ts'
import { endMs } from './item-view.ts'
import { countBids } from './item-words.ts'
import { lazyChart } from '../market/lazy-chart.tsx'
import { formatMoney } from '../ui/money.ts'
import { hasHole, pricePoints } from './price-points.ts'
import { Section } from '../ui/section.tsx'
import { useServerNow } from '../app/server-time.tsx'
import { ErrorState } from '../ui/states.tsx'
import type { Bids } from '../bidding/use-bids.ts'

const PriceChart = lazyChart(async () => (await import('./price-chart.tsx')).PriceChart)

const HEIGHT = 220
/** The line grows to the right this often, ahead of the clock so that the last step has a tread. */
const STEP_MS = 10_000
/** How often the history is asked for while bids are missing between it and the stream. */
const HOLE_POLL_MS = 2_000

export type PriceHistoryProps = { item: Item; phase: ItemPhase; bids: Bids }

export function PriceHistory(props: PriceHistoryProps) {
  return (
    <Section title="Price">
      <Chart {...props} />
    </Section>
  )
}

function Chart({ item, phase, bids }: PriceHistoryProps) {
  const { data, error, refetch } = useQuery(
    LiveService.method.getPriceHistory,
    { itemId: item.id },
    { refetchInterval: ({ state }) => hasHole(state.data, bids.all) && HOLE_POLL_MS },
  )
  const nowMs = Math.ceil(useServerNow() / STEP_MS) * STEP_MS
  const untilMs = Math.min(nowMs, endMs(item))
  const points = useMemo(
    () => (data ? pricePoints(data, bids.all, untilMs) : undefined),
    [data, bids.all, untilMs],
  )
  if (item.bidCount === 0n) {
    const starts = formatMoney(item.startPrice, item.currency)
    const verb = phase === 'scheduled' || phase === 'open' ? 'starts' : 'started'
    return <Frame>{`The price ${verb} at ${starts}.`}</Frame>
  }
  if (error && !points) return <ErrorState error={error} retry={() => void refetch()} />
  if (!points) return <Skeleton h={HEIGHT} />
  return (
    <Box h={HEIGHT} role="img" aria-label={chartWords(item)}>
      <Suspense fallback={<Skeleton h={HEIGHT} />}>
        <PriceChart points={points} currency={item.currency} height={HEIGHT} />
      </Suspense>
    </Box>
  )
}

function chartWords({ startPrice, currentHighestBid, bidCount, currency }: Item): string {
  const from = formatMoney(startPrice, currency)
  const to = formatMoney(currentHighestBid, currency)
  return `Price over time: from ${from} to ${to} by ${countBids(bidCount)}. The table of bids says the same.`
}

function Frame({ children }: { children: ReactNode }) {
  return (
    <Center py="sm">
      <Text c="dimmed">{children}</Text>
    </Center>
  )
}
