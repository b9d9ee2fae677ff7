/** How an auction ended. */
import { isYou, nameOf } from '../ui/person-name.ts'
import { Stack, Text, ThemeIcon, Title } from '@mantine/core'
import { IconBan, IconGavel, IconTrophy, IconZzz } from '@tabler/icons-react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome as Outcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import type { ItemPhase } from './item-phase.ts'
import { endMs } from './item-view.ts'
import { countBids } from './item-words.ts'
import { formatMoney } from '../ui/money.ts'
import { formatMoment } from '../ui/time.ts'
import styles from './item-page.module.css'

export type ItemOutcomeProps = {
  item: Item
  phase: Extract<ItemPhase, 'ended' | 'cancelled'>
  userId: string
}

export function ItemOutcome({ item, phase, userId }: ItemOutcomeProps) {
  const sold = item.outcome === Outcome.SOLD
  const won = sold && isYou(item.winnerId, userId)
  const { title, text, color, Icon } = ending({ item, phase, userId })
  return (
    <Stack align="center" justify="center" gap="xs" py="xl" ta="center" role="status" flex={1}>
      <ThemeIcon
        size={64}
        radius="xl"
        color={color}
        variant={won ? 'filled' : 'light'}
        className={won ? (styles['trophy'] ?? '') : ''}
      >
        <Icon size={34} stroke={1.5} aria-hidden />
      </ThemeIcon>
      <Title order={2} fz={26} c="bright" data-testid="outcome">
        {title}
      </Title>
      {sold && (
        <Text
          fz={34}
          fw={750}
          lh={1.2}
          c="bright"
          className={styles['figures'] ?? ''}
          data-testid="hammer"
        >
          {formatMoney(item.hammerPrice, item.currency)}
        </Text>
      )}
      <Text maw={340} style={{ overflowWrap: 'anywhere' }}>
        {text}
      </Text>
      {phase === 'ended' && (
        <Text size="sm" c="dimmed">
          Ended {formatMoment(endMs(item))}
        </Text>
      )}
    </Stack>
  )
}

function ending({ item, phase, userId }: ItemOutcomeProps) {
  const selling = item.sellerId === userId
  if (phase === 'cancelled') {
    const reason = item.cancelReason
    const text = reason ? `Reason: ${reason}` : 'The seller has cancelled this listing.'
    return { title: 'Listing cancelled', text, color: 'gray', Icon: IconBan }
  }
  if (item.outcome !== Outcome.SOLD) {
    const text = selling ? 'Nobody bid on your item.' : 'Nobody bid on this item.'
    return { title: 'Not sold', text, color: 'gray', Icon: IconZzz }
  }
  if (isYou(item.winnerId, userId)) {
    const text = `Your bid was the highest of ${countBids(item.bidCount)}.`
    return { title: 'You won!', text, color: 'baize', Icon: IconTrophy }
  }
  const text = `${nameOf(item.winnerId)} had the highest of ${countBids(item.bidCount)}.`
  const title = `${selling ? 'You sold it to' : 'Sold to'} ${nameOf(item.winnerId, 'a bidder')}`
  return { title, text, color: 'baize', Icon: IconGavel }
}
