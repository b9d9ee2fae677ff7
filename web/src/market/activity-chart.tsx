/** Bids as bars, bidders and amounts as lines, over time. Loaded only where it is shown. */
import { Group, Paper, Text } from '@mantine/core'
import {
  Bar,
  CartesianGrid,
  ComposedChart,
  Line,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts'
import { type ActivityPoint, formatBucket, formatTick, type Range } from './activity-range.ts'
import { distinctTicks } from './chart-ticks.ts'
import { formatCount, formatSum } from './sums.ts'

/** Colours that keep apart for eyes that see red and green alike, and in both schemes. */
export const seriesColors = {
  bids: 'var(--mantine-primary-color-filled)',
  bidders: 'var(--mantine-color-blue-5)',
  amount: 'var(--mantine-color-orange-5)',
} as const

const tick = { fill: 'var(--mantine-color-dimmed)', fontSize: 12 }
const LINE_WIDTH = 2
/** Between labels, so that they never touch. */
const TICK_GAP_PX = 40
/** The labels of an axis: "1.2M" fits. */
const AXIS_WIDTH_PX = 44

const compact = new Intl.NumberFormat(undefined, {
  notation: 'compact',
  maximumSignificantDigits: 3,
})

export type ActivityChartProps = {
  points: readonly ActivityPoint[]
  range: Range
  /** Of the amounts. */
  currency: string
}

export function ActivityChart({ points, range, currency }: ActivityChartProps) {
  const axis = { tick, tickLine: false, axisLine: false, width: AXIS_WIDTH_PX } as const
  const times = points.map(({ startMs }) => startMs)
  const label = (ms: number): string => formatTick(ms, range)
  const line = { dot: false, strokeWidth: LINE_WIDTH, isAnimationActive: false } as const
  return (
    <ResponsiveContainer width="100%" height="100%">
      <ComposedChart data={[...points]} margin={{ top: 8, right: 0, bottom: 0, left: 0 }}>
        <CartesianGrid vertical={false} stroke="var(--mantine-color-default-border)" />
        <XAxis
          dataKey="startMs"
          ticks={[...distinctTicks(times, label)]}
          tickFormatter={label}
          tick={tick}
          tickLine={false}
          axisLine={{ stroke: 'var(--mantine-color-default-border)' }}
          minTickGap={TICK_GAP_PX}
        />
        <YAxis yAxisId="count" allowDecimals={false} {...axis} />
        <YAxis
          yAxisId="amount"
          orientation="right"
          tickFormatter={(amount: number) => compact.format(amount)}
          {...axis}
        />
        <Tooltip
          cursor={{ fill: 'var(--mantine-color-default-hover)' }}
          content={({ active, payload }) => {
            const point: unknown = payload[0]?.payload
            return active && isPoint(point) ? <Details {...{ point, range, currency }} /> : null
          }}
        />
        <Bar
          yAxisId="count"
          dataKey="bids"
          fill={seriesColors.bids}
          radius={[3, 3, 0, 0]}
          isAnimationActive={false}
        />
        <Line yAxisId="count" dataKey="bidders" stroke={seriesColors.bidders} {...line} />
        <Line
          yAxisId="amount"
          dataKey="amount"
          stroke={seriesColors.amount}
          strokeDasharray="5 3"
          {...line}
        />
      </ComposedChart>
    </ResponsiveContainer>
  )
}

function isPoint(value: unknown): value is ActivityPoint {
  return typeof value === 'object' && value !== null && 'amountMinor' in value
}

type DetailsProps = { point: ActivityPoint; range: Range; currency: string }

function Details({ point, range, currency }: DetailsProps) {
  const rows = [
    ['Bids', formatCount(point.bids)],
    ['Bidders', formatCount(point.bidders)],
    ['Amount', formatSum(point.amountMinor, currency)],
  ] as const
  return (
    <Paper withBorder shadow="md" px="sm" py="xs">
      <Text size="xs" c="dimmed" mb={4}>
        {formatBucket(point.startMs, range)}
      </Text>
      {rows.map(([label, value]) => (
        <Group key={label} justify="space-between" gap="lg">
          <Text size="sm">{label}</Text>
          <Text size="sm" fw={600}>
            {value}
          </Text>
        </Group>
      ))}
    </Paper>
  )
}
