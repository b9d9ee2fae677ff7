/** One item, live: what it is, what it costs, who wants it, and a place to bid and to talk. */
import { Anchor, Badge, Box, Button, Group, Stack, Text, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconPencil } from '@tabler/icons-react'
import { Link } from 'wouter'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { BidHistory } from '../bidding/bid-history.tsx'
import { BidPanel } from '../bidding/bid-panel.tsx'
import { ChatPanel } from '../chat/chat-panel.tsx'
import { ConnectionBanner } from '../app/connection-banner.tsx'
import type { Connection } from '../app/follow-stream.ts'
import { ItemFacts } from './item-facts.tsx'
import { ItemGallery } from './item-gallery.tsx'
import { type ItemPhase, phaseOf } from './item-phase.ts'
import { ItemSkeleton } from '../browse/item-skeleton.tsx'
import type { ItemView } from './item-view.ts'
import { formatMoney } from '../ui/money.ts'
import { PriceHistory } from './price-history.tsx'
import { useServerNow } from '../app/server-time.tsx'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { TopBids } from './top-bids.tsx'
import { useBids } from '../bidding/use-bids.ts'
import { isNoSuchItem, useItem } from './use-item.ts'
import { useUser } from '../app/user.tsx'
import styles from './item-page.module.css'

/** Room below everything for the bar of a phone. */
const BAR_ROOM = 72

export function ItemPage({ itemId }: { itemId: string }) {
  const { userId } = useUser()
  // Somebody else has typed nothing and sent nothing.
  return <LiveItem key={userId} itemId={itemId} userId={userId} />
}

function LiveItem({ itemId, userId }: { itemId: string; userId: string }) {
  const { view, connection, error, retry } = useItem(itemId, userId)
  if (view) return <ItemParts view={view} connection={connection} userId={userId} />
  if (!error) return <ItemSkeleton />
  if (!isNoSuchItem(error)) return <ErrorState error={error} retry={retry} />
  return (
    <EmptyState title="Item not found">
      <Anchor component={Link} href="/">
        Browse auctions
      </Anchor>
    </EmptyState>
  )
}

type ItemPartsProps = { view: ItemView; connection: Connection; userId: string }

function ItemParts({ view, connection, userId }: ItemPartsProps) {
  const { item } = view
  const { currency } = item
  const bids = useBids(view)
  const phase = phaseOf(item, useServerNow())
  useDocumentTitle(`${tabTitle(view)} · Bidmesh`)
  return (
    <Box pb={{ base: BAR_ROOM, md: 0 }}>
      <ConnectionBanner connection={connection} />
      <ItemHeader item={item} phase={phase} userId={userId} />
      <div className={styles['parts']}>
        <div className={styles['media']}>
          <ItemGallery item={item} />
        </div>
        <div className={styles['bidding']}>
          <BidPanel view={view} bids={bids} userId={userId} />
        </div>
        <Stack className={styles['details'] ?? ''}>
          <PriceHistory item={item} phase={phase} bids={bids} />
          <ItemFacts item={item} />
          <BidHistory bids={bids} currency={currency} userId={userId} />
        </Stack>
        <Stack className={styles['side'] ?? ''}>
          <TopBids bids={bids} currency={currency} userId={userId} />
          <ChatPanel itemId={item.id} userId={userId} live={view.chat} connection={connection} />
        </Stack>
      </div>
    </Box>
  )
}

/** In a tab far away, being outbid is what matters. */
function tabTitle({ item, outbid }: ItemView): string {
  if (!outbid) return item.title
  return `Outbid: ${formatMoney(item.currentHighestBid, item.currency)} · ${item.title}`
}

const badges = {
  scheduled: { label: 'Upcoming', color: 'blue' },
  open: { label: 'Open', color: 'baize' },
  closing: { label: 'Closing', color: 'orange' },
  ended: { label: 'Ended', color: 'gray' },
  cancelled: { label: 'Cancelled', color: 'gray' },
} as const satisfies Record<ItemPhase, { label: string; color: string }>

type ItemHeaderProps = { item: Item; phase: ItemPhase; userId: string }

function ItemHeader({ item, phase, userId }: ItemHeaderProps) {
  const { label, color } = badges[phase]
  const { has } = useUser()
  const mayEdit = (userId !== '' && item.sellerId === userId) || has('operator')
  const editable = mayEdit && (phase === 'scheduled' || phase === 'open')
  return (
    <Group justify="space-between" align="flex-start" mb="md" gap="sm">
      <div style={{ minWidth: 0 }}>
        <Title order={1} c="bright" fz={{ base: 24, sm: 30 }} style={{ overflowWrap: 'anywhere' }}>
          {item.title}
        </Title>
        <Group gap="xs" mt={4}>
          <Badge color={color} variant="light" data-testid="status">
            {label}
          </Badge>
          <Text span size="sm" c="dimmed">
            {item.category && `${item.category} · `}sold by {item.sellerId}
          </Text>
        </Group>
      </div>
      {editable && (
        <Button
          component={Link}
          href={`/items/${item.id}/edit`}
          variant="default"
          leftSection={<IconPencil size={16} aria-hidden />}
        >
          Edit
        </Button>
      )}
    </Group>
  )
}
