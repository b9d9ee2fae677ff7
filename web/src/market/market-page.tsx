/** The market, for who wants figures: activity over time, the leaders, one item in detail; all of it as CSV. */
import { Group, Select, Stack, Switch, Text, Title } from '@mantine/core'
import type { CurrencyMarket } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { busiestCurrency, isRange, ranges } from './activity-range.ts'
import { ActivitySection } from './activity-section.tsx'
import { CurrencySection } from './currency-section.tsx'
import { isItemId } from './item-picker.tsx'
import { ItemReportSection } from './item-report-section.tsx'
import { currencyLabel } from './sums.ts'
import { isRanking, TopBiddersSection } from './top-bidders-section.tsx'
import { useMarketActivity } from './use-market-activity.ts'
import { useUser } from '../app/user.tsx'

export function MarketPage() {
  useDocumentTitle('Market · Bidmesh')
  const { has } = useUser()
  const [params, setParams] = useSearchParams()
  const [isLive, setIsLive] = useState(true)
  const asked = params.get('range') ?? ''
  const range = isRange(asked) ? asked : '1h'
  const ranking = params.get('top') ?? ''
  const itemId = params.get('item') ?? ''
  const activity = useMarketActivity(range, isLive)
  const currencies = activity.data?.currencies
  const chosen = params.get('currency') ?? ''
  const isThere = currencies?.some(({ currency }) => currency === chosen)
  const currency = isThere ? chosen : busiestCurrency(currencies ?? [])
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
        <Group gap="md">
          <CurrencySelect
            {...{ currency, currencies }}
            onCurrency={(value) => choose('currency', value)}
          />
          <Switch
            label="Live updates"
            checked={isLive}
            onChange={(event) => setIsLive(event.currentTarget.checked)}
          />
        </Group>
      </Group>
      <ActivitySection
        range={range}
        onRange={(value) => choose('range', value)}
        activity={activity}
        currency={currency}
      />
      <CurrencySection span={ranges[range].words} currencies={currencies} />
      {has('analyst') && (
        <TopBiddersSection
          ranking={isRanking(ranking) ? ranking : 'bids'}
          onRanking={(value) => choose('top', value)}
          currency={currency}
          isLive={isLive}
        />
      )}
      <ItemReportSection
        itemId={isItemId(itemId) ? itemId : ''}
        onItemId={(value) => choose('item', value)}
        isLive={isLive}
      />
      <Text size="xs" c="dimmed">
        Currencies are never added up. CSV files have amounts in minor units (cents) and times in
        UTC.
      </Text>
    </Stack>
  )
}

type CurrencySelectProps = {
  currency: string
  currencies: readonly CurrencyMarket[] | undefined
  onCurrency: (currency: string) => void
}

/** Of what is drawn and ranked; nothing to choose with one. */
function CurrencySelect({ currency, currencies, onCurrency }: CurrencySelectProps) {
  if (!currencies || currencies.length < 2) return null
  const data = currencies.map((each) => ({
    value: each.currency,
    label: currencyLabel(each.currency),
  }))
  return (
    <Select
      size="xs"
      w={96}
      aria-label="Currency of amounts"
      allowDeselect={false}
      value={currency}
      onChange={(value) => onCurrency(value ?? '')}
      data={data}
    />
  )
}
