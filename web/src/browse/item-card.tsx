/** An item in a list: what it is, what it costs now, how long it goes on. The whole card is one link. */
import { Badge, Box, Card, Group, Skeleton, Stack, Text } from '@mantine/core'
import { IconClock } from '@tabler/icons-react'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { memo, useState } from 'react'
import { Link } from 'wouter'
import { cardFacts } from './card-facts.ts'
import { Countdown } from '../ui/countdown.tsx'
import { ItemPicture } from '../item/item-picture.tsx'
import { endMs } from '../item/item-view.ts'
import { formatMoney } from '../ui/money.ts'
import { useServerNow } from '../app/server-time.tsx'
import { formatLeft, formatMoment } from '../ui/time.ts'
import styles from './item-card.module.css'

/** Longer amounts are written smaller: they are never cut off. */
const LONG_LENGTH = 12
/** Two cards beside each other on a phone leave little room. */
const small = { base: 'xs', sm: 'sm' } as const

export type ItemCardProps = {
  item: Item
  /** Who looks. */
  userId: string
  /** Off for a card that leads nowhere, as in a preview. */
  linked?: boolean
}

/** A list of them is looked at every second, and most of them are as they were. */
export const ItemCard = memo(function ItemCard({ item, userId, linked = true }: ItemCardProps) {
  const { badge, price, priceLabel, bids } = cardFacts(item, userId)
  const over = item.status === ItemStatus.ENDED || item.status === ItemStatus.CANCELLED
  return (
    <Card withBorder padding="sm" className={styles['card'] ?? ''} data-testid="item-card">
      <Card.Section pos="relative" {...(over && { className: styles['over'] ?? '' })}>
        <ItemPicture item={item} />
        {badge && (
          <Badge className={styles['badge'] ?? ''} color={badge.color} variant="filled">
            {badge.label}
          </Badge>
        )}
      </Card.Section>
      <Text component="h2" fw={600} lineClamp={2} mt="xs" className={styles['title'] ?? ''}>
        {linked ? (
          <Link href={`/items/${item.id}`} className={styles['link'] ?? ''}>
            {item.title}
          </Link>
        ) : (
          item.title
        )}
      </Text>
      {/* Prices of a row are on one line, however long the titles are. */}
      <Text size="xs" c="dimmed" mt="auto">
        {priceLabel}
      </Text>
      <Price price={price} currency={item.currency} />
      <Group justify="space-between" gap={4} mt={6} wrap="nowrap">
        <Text fz={small} c="dimmed" style={{ whiteSpace: 'nowrap' }}>
          {bids}
        </Text>
        <When item={item} />
      </Group>
    </Card>
  )
})

/** Flashes whenever it is another than the one before. */
function Price({ price, currency }: { price: bigint; currency: string }) {
  const [first] = useState(price)
  const money = formatMoney(price, currency)
  return (
    <Text
      key={String(price)}
      fw={700}
      fz={money.length > LONG_LENGTH ? small : 'lg'}
      lh={1.3}
      w="fit-content"
      maw="100%"
      style={{ overflowWrap: 'anywhere' }}
      data-testid="card-price"
      {...(price !== first && { className: 'just-changed' })}
    >
      {money}
    </Text>
  )
}

function When({ item }: { item: Item }) {
  if (item.status === ItemStatus.SCHEDULED) {
    return <Opens startMs={item.startAt ? timestampMs(item.startAt) : 0} />
  }
  if (item.status === ItemStatus.ACTIVE) {
    return (
      <Group gap={4} wrap="nowrap">
        <IconClock size={14} aria-hidden />
        <Countdown endMs={endMs(item)} fz={small} style={{ whiteSpace: 'nowrap' }} />
      </Group>
    )
  }
  return (
    <Text fz={small} c="dimmed" title={item.cancelReason || formatMoment(endMs(item))}>
      {item.status === ItemStatus.ENDED ? 'Ended' : 'Cancelled'}
    </Text>
  )
}

function Opens({ startMs }: { startMs: number }) {
  const leftMs = startMs - useServerNow()
  return (
    <Text fz={small} ta="right" title={formatMoment(startMs)}>
      {leftMs > 0 ? `starts in ${formatLeft(leftMs)}` : 'starting…'}
    </Text>
  )
}

/** Of the size of a card, so that nothing moves when the cards are there. */
export function ItemCardSkeleton() {
  return (
    <Card withBorder padding="sm" h="100%" aria-hidden>
      <Card.Section>
        <Box style={{ aspectRatio: 4 / 3 }}>
          <Skeleton h="100%" radius={0} />
        </Box>
      </Card.Section>
      <Stack gap={8} mt="xs">
        <Skeleton h={20} />
        <Skeleton h={16} w="60%" />
        <Skeleton h={12} w="35%" />
        <Skeleton h={20} w="45%" />
        <Skeleton h={{ base: 14, sm: 17 }} />
      </Stack>
    </Card>
  )
}
