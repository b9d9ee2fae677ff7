/** The heart of an item page: price, time left, who leads, and the form; in the end the outcome. */
import { isYou, nameOf } from '../ui/person-name.ts'
import { Badge, Divider, Group, Paper, Stack } from '@mantine/core'
import { IconCrown, IconEye, IconGavel } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { BidArea, LastBid } from './bid-area.tsx'
import { ItemOutcome } from '../item/item-outcome.tsx'
import { phaseOf } from '../item/item-phase.ts'
import { afterBid, type ItemView } from '../item/item-view.ts'
import { countBids } from '../item/item-words.ts'
import { LivePrice } from '../item/live-price.tsx'
import { useServerNow } from '../app/server-time.tsx'
import { TimeLeft } from '../ui/time-left.tsx'
import { useBidding } from './use-bidding.ts'
import type { Bids } from './use-bids.ts'
import { useOffline } from '../app/use-offline.ts'

export type BidPanelProps = { view: ItemView; bids: Bids; userId: string }

export function BidPanel({ view, bids, userId }: BidPanelProps) {
  const { extensionsSeen, lastMove } = view
  const bidding = useBidding(view.item.id, userId, bids.all)
  const item = afterBid(view.item, bidding.answer)
  const phase = phaseOf(item, useServerNow())
  const offline = useOffline()
  if (phase === 'ended' || phase === 'cancelled') {
    return (
      <Panel>
        <ItemOutcome {...{ item, phase, userId }} />
        <LastBid {...{ item, bidding, bids, userId }} />
        <Group justify="center">
          <Counts item={item} viewers={view.viewers} />
        </Group>
      </Panel>
    )
  }
  return (
    <Panel>
      <Group justify="space-between" align="flex-start" gap="xs">
        <LivePrice
          amountMinor={item.currentHighestBid || item.startPrice}
          currency={item.currency}
          label={item.bidCount > 0n ? 'Current bid' : 'Starting price'}
        />
        <TimeLeft {...{ item, phase, extensionsSeen, lastMove }} />
      </Group>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Counts item={item} viewers={view.viewers} />
        <Leader item={item} userId={userId} />
      </Group>
      <Divider />
      <BidArea {...{ item, phase, bidding, bids, userId, offline }} />
    </Panel>
  )
}

function Panel({ children }: { children: ReactNode }) {
  return (
    <Paper
      component="section"
      aria-label="Bidding"
      withBorder
      p={{ base: 'sm', sm: 'md' }}
      h="100%"
      shadow="xs"
    >
      <Stack h="100%">{children}</Stack>
    </Paper>
  )
}

function Counts({ item, viewers }: { item: Item; viewers: number }) {
  return (
    <Group gap="sm" c="dimmed" fz="sm" wrap="nowrap" style={{ whiteSpace: 'nowrap' }}>
      <Group gap={6} wrap="nowrap">
        <IconGavel size={16} aria-hidden />
        <span data-testid="bid-count">{countBids(item.bidCount)}</span>
      </Group>
      <Group gap={6} wrap="nowrap">
        <IconEye size={16} aria-hidden />
        <span data-testid="viewers">{viewers} watching</span>
      </Group>
    </Group>
  )
}

function Leader({ item, userId }: { item: Item; userId: string }) {
  if (item.bidCount === 0n) return null
  const leader = item.highestBidderId
  const you = isYou(leader, userId)
  return (
    <Badge
      miw={0}
      tt="none"
      fw={600}
      variant={you ? 'filled' : 'default'}
      leftSection={<IconCrown size={14} aria-hidden />}
      data-testid="leader"
    >
      {you ? 'You lead' : `${nameOf(leader)} leads`}
    </Badge>
  )
}
