/** The market over time: its totals, a chart, and the same as a table. */
import { Box, Button, Group, SegmentedControl, Skeleton, Stack, Table, Text } from '@mantine/core'
import { IconChartBar, IconTable } from '@tabler/icons-react'
import { Suspense, useState } from 'react'
import {
  type ActivityPoint,
  formatBucket,
  formatStart,
  isOfRange,
  isRange,
  type Range,
  rangeNames,
  ranges,
  summarise,
  toPoints,
} from './activity-range.ts'
import { CsvButton } from './csv-button.tsx'
import { type CsvColumn, csvMoney, csvTime } from './csv.ts'
import { lazyChart } from './lazy-chart.tsx'
import { OTHER_OPACITY } from './market-refresh.ts'
import { Section } from '../ui/section.tsx'
import { StatTiles } from './stat-tiles.tsx'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { currencyLabel, formatCount, formatSum } from './sums.ts'
import type { MarketActivity } from './use-market-activity.ts'

const ActivityChart = lazyChart(async () => (await import('./activity-chart.tsx')).ActivityChart)

const CHART_HEIGHT = 300

function columnsOf(currencies: readonly string[]): readonly CsvColumn<ActivityPoint>[] {
  return [
    { name: 'start', value: ({ startMs }) => csvTime(startMs) },
    { name: 'bids', value: ({ bids }) => bids },
    { name: 'unique_bidders', value: ({ bidders }) => bidders },
    ...currencies.map((currency) => ({
      name: csvMoney('amount', currency),
      value: ({ amounts }: ActivityPoint) =>
        amounts.find((each) => each.currency === currency)?.amount ?? 0n,
    })),
  ]
}

export type ActivitySectionProps = {
  range: Range
  onRange: (range: Range) => void
  activity: MarketActivity
  /** Whose amounts are shown. */
  currency: string
}

export function ActivitySection({ range, onRange, activity, currency }: ActivitySectionProps) {
  const [asTable, setAsTable] = useState(false)
  const { data, error, refetch, isPending, isPlaceholderData } = activity
  const points = data ? toPoints(data.buckets, currency) : undefined
  // The same range a step earlier is right but for that step: that is no reason to dim it every minute.
  const isOther = isPlaceholderData && points !== undefined && !isOfRange(points, range)
  const title = `Activity of ${ranges[range].words}`
  const actions = (
    <>
      <SegmentedControl
        size="xs"
        aria-label="How far back"
        value={range}
        onChange={(value) => isRange(value) && onRange(value)}
        data={rangeNames.map((value) => ({ value, label: ranges[value].label }))}
      />
      <Button
        size="xs"
        variant="default"
        leftSection={
          asTable ? <IconChartBar size={14} aria-hidden /> : <IconTable size={14} aria-hidden />
        }
        onClick={() => setAsTable(!asTable)}
      >
        {asTable ? 'Show chart' : 'Show table'}
      </Button>
      <CsvButton
        title={title}
        columns={columnsOf(data?.currencies.map((each) => each.currency) ?? [])}
        rows={isOther ? [] : (points ?? [])}
      />
    </>
  )
  return (
    <Section title="Activity" isOld={error !== null && data !== undefined} actions={actions}>
      {error && !data && <ErrorState error={error} retry={() => void refetch()} />}
      {(isPending || points) && (
        <Stack gap="md" aria-busy={isOther} {...(isOther && { opacity: OTHER_OPACITY })}>
          <Totals {...{ points, range, currency }} />
          <Box h={CHART_HEIGHT}>
            {points && <Points {...{ points, range, currency, asTable }} />}
            {!points && <Skeleton h="100%" />}
          </Box>
          <Legend currency={currency} isHidden={asTable} />
        </Stack>
      )}
    </Section>
  )
}

type TotalsProps = {
  points: readonly ActivityPoint[] | undefined
  range: Range
  currency: string
}

function Totals({ points, range, currency }: TotalsProps) {
  const summary = points && summarise(points)
  const busiest = summary?.busiest
  const tiles = [
    { label: 'Bids', value: summary && formatCount(summary.bids), hint: ranges[range].words },
    {
      label: 'Amount bid',
      value: summary && formatSum(summary.amountMinor, currency),
      hint: `all bids in ${currencyLabel(currency)}`,
    },
    {
      label: 'Busiest',
      value: summary && `${formatCount(busiest?.bids ?? 0)} bids`,
      hint: busiest ? formatBucket(busiest.startMs, range) : '',
    },
    {
      label: 'Most bidders',
      value: summary && formatCount(summary.biddersMost),
      hint: 'within one bar',
    },
  ]
  return <StatTiles tiles={tiles} label={`Totals of ${ranges[range].words}`} phoneColumns={2} />
}

type PointsProps = {
  points: readonly ActivityPoint[]
  range: Range
  currency: string
  asTable: boolean
}

function Points({ points, range, currency, asTable }: PointsProps) {
  const { bids, biddersMost } = summarise(points)
  if (asTable) return <PointsTable points={points} currency={currency} />
  if (bids === 0) return <EmptyState title={`Nobody has bid in ${ranges[range].words}`} />
  const label =
    `Chart of ${ranges[range].words}: ${formatCount(bids)} bids, ` +
    `at most ${formatCount(biddersMost)} bidders within one bar. The button “Show table” has the figures.`
  return (
    <Box role="img" aria-label={label} h="100%">
      <Suspense fallback={<Skeleton h="100%" />}>
        <ActivityChart {...{ points, range, currency }} />
      </Suspense>
    </Box>
  )
}

function PointsTable({ points, currency }: Pick<PointsProps, 'points' | 'currency'>) {
  return (
    <Table.ScrollContainer
      minWidth={320}
      maxHeight={CHART_HEIGHT}
      scrollAreaProps={{ viewportProps: { tabIndex: 0, 'aria-label': 'Activity, as a table' } }}
    >
      <Table
        stickyHeader
        verticalSpacing={6}
        horizontalSpacing={8}
        style={{ fontVariantNumeric: 'tabular-nums' }}
      >
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">From</Table.Th>
            <Table.Th scope="col" ta="right">
              Bids
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Bidders
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Amount
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {points.toReversed().map(({ startMs, bids, bidders, amountMinor }) => (
            <Table.Tr key={startMs} {...(bids === 0 && { c: 'dimmed' })}>
              <Table.Th scope="row" fw={400}>
                {formatStart(startMs)}
              </Table.Th>
              <Table.Td ta="right">{formatCount(bids)}</Table.Td>
              <Table.Td ta="right">{formatCount(bidders)}</Table.Td>
              <Table.Td ta="right">{formatSum(amountMinor, currency)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

const legend = [
  { label: 'Bids', color: 'var(--mantine-primary-color-filled)', h: 10, dashed: false },
  { label: 'Bidders', color: 'var(--mantine-color-blue-5)', h: 2, dashed: false },
  { label: 'Amount', color: 'var(--mantine-color-orange-5)', h: 2, dashed: true },
] as const

/** Keeps its room beside a table, so that nothing moves. */
function Legend({ currency, isHidden }: { currency: string; isHidden: boolean }) {
  return (
    <Group
      gap="md"
      justify="center"
      aria-hidden
      {...(isHidden && { style: { visibility: 'hidden' } })}
    >
      {legend.map(({ label, color, h, dashed }) => (
        <Group key={label} gap={6}>
          <Box w={14} style={{ borderTop: `${h}px ${dashed ? 'dashed' : 'solid'} ${color}` }} />
          <Text size="xs" c="dimmed">
            {dashed ? `${label}, ${currencyLabel(currency)} (right)` : label}
          </Text>
        </Group>
      ))}
    </Group>
  )
}
