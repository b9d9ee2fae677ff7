/** One item the user has bid on: what they offered, what it costs now, how long it goes on. */
import { Badge, Group, Skeleton, Stack, Text } from '@mantine/core'
import { IconClock } from '@tabler/icons-react'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { useState } from 'react'
import { Link } from 'wouter'
import { Countdown } from '../ui/countdown.tsx'
import { ItemPicture } from '../item/item-picture.tsx'
import { endMs } from '../item/item-view.ts'
import type { MyBid } from './my-bids.ts'
import { formatMoney } from '../ui/money.ts'
import { formatMoment } from '../ui/time.ts'
import styles from './my-bid-row.module.css'

export function MyBidRow({ bid: { item, bids, standing } }: { bid: MyBid }) {
  const { currency } = item
  return (
    <li className={styles['row']} data-testid="my-bid">
      <div className={styles['picture']}>
        <ItemPicture item={item} ratio={1} />
      </div>
      <div className={styles['what']}>
        <Text fw={600} lineClamp={2} lh={1.35}>
          <Link href={`/items/${item.id}`} className={styles['link'] ?? ''}>
            {item.title}
          </Link>
        </Text>
        <When item={item} />
      </div>
      <Amount label="Your highest bid" amount={bids.highest} currency={currency} />
      <Amount label={priceLabel(item)} amount={priceOf(item)} currency={currency} strong />
      {standing === 'outbid' && (
        <div className={styles['action']}>
          <Badge variant="light" tt="none" size="lg">
            Bid {formatMoney(item.minimumNextBid, currency)}
          </Badge>
        </div>
      )}
    </li>
  )
}

function priceOf({ hammerPrice, currentHighestBid }: Item): bigint {
  return hammerPrice > 0n ? hammerPrice : currentHighestBid
}

function priceLabel({ status, hammerPrice }: Item): string {
  if (status === ItemStatus.ENDED) return hammerPrice > 0n ? 'Sold for' : 'Not sold at'
  return status === ItemStatus.CANCELLED ? 'Cancelled at' : 'Current bid'
}

/** Longer amounts are written smaller: they are never cut off. */
const LONG_LENGTH = 12

type AmountProps = { label: string; amount: bigint; currency: string; strong?: boolean }

/** Flashes whenever it is another than the one before. */
function Amount({ label, amount, currency, strong = false }: AmountProps) {
  const [first] = useState(amount)
  const money = formatMoney(amount, currency)
  return (
    <div className={styles['amount']}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text
        key={String(amount)}
        span
        fw={strong ? 700 : 500}
        fz={money.length > LONG_LENGTH ? 'sm' : 'md'}
        {...(amount !== first && { className: 'just-changed' })}
      >
        {money}
      </Text>
    </div>
  )
}

function When({ item }: { item: Item }) {
  if (item.status === ItemStatus.ACTIVE) {
    return (
      <Group gap={4} wrap="nowrap">
        <IconClock size={14} aria-hidden />
        <Countdown endMs={endMs(item)} size="sm" />
      </Group>
    )
  }
  return (
    <Text size="sm" c="dimmed">
      {item.status === ItemStatus.CANCELLED ? 'Cancelled' : `Ended ${formatMoment(endMs(item))}`}
    </Text>
  )
}

/** Of the size of a row, so that nothing moves when the rows are there. */
export function MyBidRowSkeleton() {
  return (
    <div className={styles['row']}>
      <div className={styles['picture']}>
        <Skeleton h="100%" radius="sm" style={{ aspectRatio: 1 }} />
      </div>
      <Stack gap={8} className={styles['what'] ?? ''}>
        <Skeleton h={16} w="70%" />
        <Skeleton h={14} w={90} />
      </Stack>
      <Skeleton h={32} className={styles['amount'] ?? ''} />
      <Skeleton h={32} className={styles['amount'] ?? ''} />
    </div>
  )
}
