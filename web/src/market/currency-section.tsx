/** What was bid and what items went for, a row for each currency: sums of several would say nothing. */
import { Skeleton, Table } from '@mantine/core'
import type { CurrencyMarket } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { CsvButton } from './csv-button.tsx'
import type { CsvColumn } from './csv.ts'
import { Section } from '../ui/section.tsx'
import { EmptyState } from '../ui/states.tsx'
import { currencyLabel, formatCount, formatSum, formatSums, sellThrough } from './sums.ts'

const columns: readonly CsvColumn<CurrencyMarket>[] = [
  { name: 'currency', value: ({ currency }) => currency },
  { name: 'bids', value: ({ bids }) => bids },
  { name: 'amount_minor', value: ({ amount }) => amount },
  { name: 'items_sold', value: ({ itemsSold }) => itemsSold },
  { name: 'items_unsold', value: ({ itemsUnsold }) => itemsUnsold },
  { name: 'hammer_total_minor', value: ({ hammerTotal }) => hammerTotal },
  { name: 'median_hammer_price_minor', value: ({ medianHammerPrice }) => medianHammerPrice },
]

const percent = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 })

export type CurrencySectionProps = {
  /** In words: "the last hour". */
  span: string
  /** Undefined while they are being asked for. */
  currencies: readonly CurrencyMarket[] | undefined
}

export function CurrencySection({ span, currencies }: CurrencySectionProps) {
  const title = `Currencies of ${span}`
  const csv = <CsvButton title={title} columns={columns} rows={currencies ?? []} />
  return (
    <Section title="By currency" actions={csv}>
      {currencies?.length === 0 && <EmptyState title={`No bids and no sales in ${span}`} />}
      {!currencies && <Skeleton h={72} />}
      {currencies && currencies.length > 0 && (
        <Table.ScrollContainer
          minWidth={560}
          pb={0}
          scrollAreaProps={{ viewportProps: { tabIndex: 0, 'aria-label': title } }}
        >
          <Table
            verticalSpacing={7}
            horizontalSpacing={8}
            aria-label={title}
            style={{ fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' }}
          >
            <Head />
            <Table.Tbody>
              {currencies.map((market) => (
                <CurrencyRow key={market.currency} market={market} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  )
}

const heads = [
  'Bids',
  'Amount bid',
  'Sold',
  'Sell-through',
  'Hammer total',
  'Median price',
] as const

function Head() {
  return (
    <Table.Thead>
      <Table.Tr>
        <Table.Th scope="col">Currency</Table.Th>
        {heads.map((head) => (
          <Table.Th key={head} scope="col" ta="right">
            {head}
          </Table.Th>
        ))}
      </Table.Tr>
    </Table.Thead>
  )
}

function CurrencyRow({ market }: { market: CurrencyMarket }) {
  const { currency, itemsSold, itemsUnsold, medianHammerPrice } = market
  const share = sellThrough(itemsSold, itemsUnsold)
  return (
    <Table.Tr>
      <Table.Th scope="row">{currencyLabel(currency)}</Table.Th>
      <Table.Td ta="right">{formatCount(market.bids)}</Table.Td>
      <Table.Td ta="right">{formatSum(market.amount, currency)}</Table.Td>
      <Table.Td ta="right">
        {formatCount(itemsSold)} of {formatCount(itemsSold + itemsUnsold)}
      </Table.Td>
      <Table.Td ta="right">{share === undefined ? '–' : percent.format(share)}</Table.Td>
      <Table.Td ta="right">{formatSums([{ currency, amountMinor: market.hammerTotal }])}</Table.Td>
      <Table.Td ta="right">{formatSums([{ currency, amountMinor: medianHammerPrice }])}</Table.Td>
    </Table.Tr>
  )
}
