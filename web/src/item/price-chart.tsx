/** The price over time as steps: it stays until the next bid. Loaded only by pages that show it. */
import { Paper, Text, useMantineTheme } from '@mantine/core'
import {
  Area,
  AreaChart,
  CartesianGrid,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts'
import { timeLabel, timeTicks } from '../market/chart-ticks.ts'
import { formatWhen } from './item-words.ts'
import { formatMoney } from '../ui/money.ts'
import type { PricePoint } from './price-points.ts'

/** More labels than these touch on a phone. */
const TICKS = 5

export type PriceChartProps = {
  points: readonly PricePoint[]
  currency: string
  height: number
}

export function PriceChart({ points, currency, height }: PriceChartProps) {
  const { fontSizes } = useMantineTheme()
  const money = (amount: number): string => formatMoney(BigInt(Math.round(amount)), currency)
  const fromMs = points[0]?.timeMs ?? 0
  const toMs = points.at(-1)?.timeMs ?? 0
  const tick = { fontSize: fontSizes.xs, fill: 'var(--mantine-color-dimmed)' }
  return (
    <ResponsiveContainer width="100%" height={height}>
      <AreaChart data={[...points]} margin={{ top: 8, right: 8, bottom: 0, left: 0 }}>
        <CartesianGrid vertical={false} stroke="var(--mantine-color-default-border)" />
        <XAxis
          dataKey="timeMs"
          type="number"
          scale="time"
          domain={[fromMs, toMs]}
          ticks={[...timeTicks(fromMs, toMs, TICKS)]}
          tickFormatter={(ms: number) => timeLabel(ms, toMs - fromMs)}
          tick={tick}
          tickLine={false}
          axisLine={false}
          minTickGap={48}
        />
        <YAxis
          domain={['auto', 'auto']}
          allowDecimals={false}
          tickFormatter={money}
          tick={tick}
          tickLine={false}
          axisLine={false}
          width="auto"
          tickCount={4}
        />
        <Tooltip
          isAnimationActive={false}
          content={({ payload }) => <PointTip point={payload[0]?.payload} money={money} />}
        />
        <Area
          type="stepAfter"
          dataKey="amountMinor"
          stroke="var(--mantine-primary-color-filled)"
          fill="var(--mantine-primary-color-light)"
          strokeWidth={2}
          dot={false}
          isAnimationActive={false}
        />
      </AreaChart>
    </ResponsiveContainer>
  )
}

type PointTipProps = { point: PricePoint | undefined; money: (amount: number) => string }

function PointTip({ point, money }: PointTipProps) {
  if (!point) return null
  return (
    <Paper withBorder px="sm" py={6} shadow="sm">
      <Text size="sm" fw={650}>
        {money(point.amountMinor)}
      </Text>
      <Text size="xs" c="dimmed">
        {words[point.kind]}
        {point.kind !== 'now' && ` · ${formatWhen(point.timeMs, Date.now())}`}
      </Text>
    </Paper>
  )
}

const words = { start: 'Start', bid: 'Bid', now: 'Price since then' } as const
