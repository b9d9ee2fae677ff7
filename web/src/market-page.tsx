/** The market, for who wants figures: activity over time, the leaders, one item in detail; all of it as CSV. */
import { Group, Stack, Switch, Text, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { isRange } from './activity-range.ts'
import { ActivitySection } from './activity-section.tsx'
import { isItemId } from './item-picker.tsx'
import { ItemReportSection } from './item-report-section.tsx'
import { isRanking, TopBiddersSection } from './top-bidders-section.tsx'

export function MarketPage() {
  useDocumentTitle('Market · Bidmesh')
  const [params, setParams] = useSearchParams()
  const [isLive, setIsLive] = useState(true)
  const range = params.get('range') ?? ''
  const ranking = params.get('top') ?? ''
  const itemId = params.get('item') ?? ''
  /** In the address, so that a view can be linked to; a default leaves it. */
  const choose = (name: string, value: string): void => {
    setParams(
      (before) => {
        const next = new URLSearchParams(before)
        if (value === '') next.delete(name)
        else next.set(name, value)
        return next
      },
      { replace: true },
    )
  }
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="xs">
        <Title order={1} size="h2">
          Market
        </Title>
        <Switch
          label="Live updates"
          checked={isLive}
          onChange={(event) => setIsLive(event.currentTarget.checked)}
        />
      </Group>
      <ActivitySection
        range={isRange(range) ? range : '1h'}
        onRange={(value) => choose('range', value)}
        isLive={isLive}
      />
      <TopBiddersSection
        ranking={isRanking(ranking) ? ranking : 'bids'}
        onRanking={(value) => choose('top', value)}
        isLive={isLive}
      />
      <ItemReportSection
        itemId={isItemId(itemId) ? itemId : ''}
        onItemId={(value) => choose('item', value)}
        isLive={isLive}
      />
      <Text size="xs" c="dimmed">
        Totals over several items add up amounts in different currencies without converting them.
        CSV files have amounts in minor units (cents) and times in UTC.
      </Text>
    </Stack>
  )
}
