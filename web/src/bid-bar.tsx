/** On a phone, while the form is out of sight: the price, the time left, and the way back to bidding. */
import { Affix, Box, Button, Group, Text } from '@mantine/core'
import type { RefObject } from 'react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Notice } from './bid-notice.ts'
import { Countdown } from './countdown.tsx'
import { endMs } from './item-view.ts'
import { formatMoney } from './money.ts'
import styles from './item-page.module.css'

export type BidBarProps = {
  item: Item
  userId: string
  notice: Notice | undefined
  onOffer: (amount: bigint) => void
  input: RefObject<HTMLInputElement | null>
}

export function BidBar({ item, userId, notice, onOffer, input }: BidBarProps) {
  const { currency } = item
  const offer = notice?.tone === 'busy' ? undefined : notice?.offer
  const write = (): void => {
    input.current?.scrollIntoView({ block: 'center' })
    input.current?.focus({ preventScroll: true })
  }
  return (
    <Affix position={{ bottom: 0, left: 0, right: 0 }} hiddenFrom="md" zIndex={90}>
      <Box className={styles['bar'] ?? ''} role="region" aria-label="Bid">
        <Group justify="space-between" wrap="nowrap">
          <div>
            <Text fw={700} lh={1.3} className={styles['figures'] ?? ''}>
              {formatMoney(item.currentHighestBid || item.startPrice, currency)}
            </Text>
            <Text size="xs" c="dimmed">
              {standing(item, userId, notice)} · <Countdown endMs={endMs(item)} />
            </Text>
          </div>
          {offer === undefined ? (
            <Button onClick={write}>Bid…</Button>
          ) : (
            <Button onClick={() => onOffer(offer)}>Bid {formatMoney(offer, currency)}</Button>
          )}
        </Group>
      </Box>
    </Affix>
  )
}

function standing(item: Item, userId: string, notice: Notice | undefined): string {
  if (notice?.tone === 'busy') return 'Placing…'
  if (notice?.tone === 'outbid') return 'Outbid'
  if (item.highestBidderId === userId) return 'You lead'
  return item.highestBidderId === '' ? 'No bids yet' : `${item.highestBidderId} leads`
}
