/** Who leads, and who could. */
import { isYou } from '../ui/person-name.ts'
import { Group, Stack, Text } from '@mantine/core'
import { formatMoney } from '../ui/money.ts'
import { Person } from '../ui/person.tsx'
import { Section } from '../ui/section.tsx'
import type { Bids } from '../bidding/use-bids.ts'
import styles from './item-page.module.css'

const PLACES = 3

export type TopBidsProps = { bids: Bids; currency: string; userId: string }

export function TopBids({ bids: { top }, currency, userId }: TopBidsProps) {
  if (top.length === 0) return null
  return (
    <Section title="Top bids">
      <Stack
        component="ol"
        gap={6}
        m={0}
        p={0}
        style={{ listStyle: 'none' }}
        data-testid="top-bids"
      >
        {top.slice(0, PLACES).map((bid, place) => (
          <Group key={bid.id} component="li" wrap="nowrap" gap="sm">
            <Text span size="sm" c="dimmed" w={12}>
              {place + 1}
            </Text>
            <Person userId={bid.userId} you={isYou(bid.userId, userId)} />
            <Text span size="sm" fw={650} ml="auto" className={styles['figures'] ?? ''}>
              {formatMoney(bid.amount, currency)}
            </Text>
          </Group>
        ))}
      </Stack>
    </Section>
  )
}
