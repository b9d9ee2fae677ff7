/** What the seller says of an item, and the terms it is sold on. */
import { Anchor, Spoiler, Stack, Table, Text } from '@mantine/core'
import { Link } from 'wouter'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { startMs } from './item-phase.ts'
import { endMs } from './item-view.ts'
import { softCloseWords } from './item-words.ts'
import { formatMoney } from '../ui/money.ts'
import { Section } from '../ui/section.tsx'
import { formatMoment } from '../ui/time.ts'

/** Ten lines or so; longer descriptions are folded. */
const FOLD_PX = 260

export function ItemFacts({ item }: { item: Item }) {
  return (
    <Section title="About this item">
      <Stack>
        {item.description === '' && <Text c="dimmed">The seller has not added a description.</Text>}
        {item.description !== '' && (
          <Spoiler
            maxHeight={FOLD_PX}
            showLabel="Show more"
            hideLabel="Show less"
            transitionDuration={0}
          >
            <Text style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
              {item.description}
            </Text>
          </Spoiler>
        )}
        <Table variant="vertical" layout="fixed" verticalSpacing={6} aria-label="Details">
          <Table.Tbody>
            {factsOf(item).map(([name, fact]) => (
              <Table.Tr key={name}>
                <Table.Th w={{ base: 128, xs: 150 }} fw={500}>
                  {name}
                </Table.Th>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>{fact}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Stack>
    </Section>
  )
}

function factsOf(item: Item) {
  const { currency, category, minIncrement } = item
  const rule = softCloseWords(item.softClose)
  const href = `/?category=${encodeURIComponent(category)}`
  const facts = [
    ['Seller', item.sellerId],
    ['Starting price', formatMoney(item.startPrice, currency)],
    ['Bidding starts', formatMoment(startMs(item))],
    ['Bidding ends', formatMoment(endMs(item))],
  ] as const
  return [
    ...facts,
    ...(category
      ? [
          [
            'Category',
            <Anchor key="category" component={Link} href={href} fz="inherit">
              {category}
            </Anchor>,
          ] as const,
        ]
      : []),
    ...(minIncrement > 0n
      ? [['Minimum increment', formatMoney(minIncrement, currency)] as const]
      : []),
    ...(rule ? [['Late bids', rule] as const] : []),
  ]
}
