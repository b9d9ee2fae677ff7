/** On a phone, while the form is out of sight: the price, the time left, and the bid that is one tap away. */
import { isYou, nameOf } from '../ui/person-name.ts'
import { Affix, Box, Button, Group, Text } from '@mantine/core'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { ReadBid } from './bid-amount.ts'
import type { Notice } from './bid-notice.ts'
import { Countdown } from '../ui/countdown.tsx'
import { endMs } from '../item/item-view.ts'
import { formatMoney } from '../ui/money.ts'
import styles from '../item/item-page.module.css'

export type BidBarProps = {
  item: Item
  userId: string
  notice: Notice | undefined
  /** What stands in the form. */
  read: ReadBid
  offline: boolean
  /** Off for who leads, and is not invited to outbid themselves. */
  showsBid: boolean
  onOffer: (amount: bigint) => void
  /** The amount of the form. */
  onBid: (amount: bigint) => void
  /** Back to the form. */
  onWrite: () => void
}

export function BidBar(props: BidBarProps) {
  const { item, userId, notice, showsBid } = props
  return (
    <Affix position={{ bottom: 0, left: 0, right: 0 }} hiddenFrom="md" zIndex={90}>
      <Box className={styles['bar'] ?? ''} role="region" aria-label="Bid">
        <Group justify="space-between" wrap="nowrap">
          <Box miw={0}>
            <Text fw={700} lh={1.3} className={styles['figures'] ?? ''}>
              {formatMoney(item.currentHighestBid || item.startPrice, item.currency)}
            </Text>
            <Text size="xs" c="dimmed">
              {standing(item, userId, notice)} · <Countdown endMs={endMs(item)} />
            </Text>
          </Box>
          {showsBid && <BarButton {...props} />}
        </Group>
      </Box>
    </Affix>
  )
}

function BarButton({ item, notice, read, offline, onOffer, onBid, onWrite }: BidBarProps) {
  const { currency } = item
  const offer = notice?.offer
  const { amount, problem } = read
  if (offline) return <Button aria-disabled>Offline</Button>
  if (notice?.tone === 'busy') return <Button aria-busy>Placing…</Button>
  if (offer !== undefined)
    return <Button onClick={() => onOffer(offer)}>Bid {formatMoney(offer, currency)}</Button>
  if (amount === undefined || problem) return <Button onClick={onWrite}>Change my bid</Button>
  return <Button onClick={() => onBid(amount)}>Bid {formatMoney(amount, currency)}</Button>
}

function standing(item: Item, userId: string, notice: Notice | undefined): string {
  if (notice?.tone === 'busy') return 'Placing…'
  if (notice?.tone === 'outbid') return 'Outbid'
  if (item.bidCount === 0n) return 'No bids yet'
  if (isYou(item.highestBidderId, userId)) return 'You lead'
  return `${nameOf(item.highestBidderId)} leads`
}
