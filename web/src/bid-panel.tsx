/** The heart of an item page: price, time left, who leads, and the form; in the end the outcome. */
import { Anchor, Badge, Divider, Group, Paper, Stack, Text, ThemeIcon } from '@mantine/core'
import { useIntersection } from '@mantine/hooks'
import { IconClock, IconCrown, IconEye, IconGavel, IconUserCheck } from '@tabler/icons-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { Link } from 'wouter'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { BidBar } from './bid-bar.tsx'
import { BidForm } from './bid-form.tsx'
import { highestOf } from './bid-list.ts'
import { acceptedKey, type Attempt } from './bid-attempt.ts'
import { bidNotice } from './bid-notice.ts'
import { BidNoticeBox } from './bid-notice-box.tsx'
import { ItemOutcome } from './item-outcome.tsx'
import { type ItemPhase, phaseOf, startMs } from './item-phase.ts'
import { afterBid, type ItemView } from './item-view.ts'
import { countBids } from './item-words.ts'
import { LivePrice } from './live-price.tsx'
import { useServerNow } from './server-time.tsx'
import { TimeLeft } from './time-left.tsx'
import { formatMoment } from './time.ts'
import { type Bidding as PlacedBids, useBidding } from './use-bidding.ts'
import type { Bids } from './use-bids.ts'

/** What is behind the header cannot be seen. */
const BELOW_HEADER = '-60px 0px 0px 0px'

export type BidPanelProps = { view: ItemView; bids: Bids; userId: string }

export function BidPanel({ view, bids, userId }: BidPanelProps) {
  const { extensionsSeen, cancelReason } = view
  const bidding = useBidding(view.item.id, userId, bids.all)
  const item = afterBid(view.item, bidding.answer)
  const phase = phaseOf(item, useServerNow())
  if (phase === 'ended' || phase === 'cancelled') {
    return (
      <Panel>
        <ItemOutcome {...{ item, phase, userId, cancelReason }} />
        <LastBid {...{ item, bidding, bids, userId }} />
        <Group justify="center">
          <Counts item={item} viewers={view.viewers} />
        </Group>
      </Panel>
    )
  }
  return (
    <Panel>
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <LivePrice
          amountMinor={item.currentHighestBid || item.startPrice}
          currency={item.currency}
          label={item.bidCount > 0n ? 'Current bid' : 'Starting price'}
        />
        <TimeLeft {...{ item, phase, extensionsSeen }} />
      </Group>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Counts item={item} viewers={view.viewers} />
        <Leader item={item} userId={userId} />
      </Group>
      <Divider />
      <Bidding {...{ item, phase, bidding, bids, userId }} />
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
  const leader = item.highestBidderId
  if (leader === '') return null
  const you = leader === userId
  return (
    <Badge
      miw={0}
      tt="none"
      fw={600}
      variant={you ? 'filled' : 'default'}
      leftSection={<IconCrown size={14} aria-hidden />}
      data-testid="leader"
    >
      {you ? 'You lead' : `${leader} leads`}
    </Badge>
  )
}

type BiddingProps = LastBidProps & { phase: ItemPhase }

function Bidding({ item, phase, bidding, bids, userId }: BiddingProps) {
  const { attempt, place, retry } = bidding
  const { typed, setTyped, sending } = useTyped(attempt)
  const { ref, entry } = useIntersection({ rootMargin: BELOW_HEADER })
  const input = useRef<HTMLInputElement>(null)
  const box = useRef<HTMLDivElement>(null)
  if (item.sellerId === userId) return <OwnItem item={item} />
  if (phase === 'closing') {
    return (
      <>
        <Closing />
        <LastBid {...{ item, bidding, bids, userId }} />
      </>
    )
  }
  if (phase === 'scheduled') return <NotYet item={item} />

  const bid = (amount: bigint): void => {
    sending()
    place(amount)
  }
  const notice = bidNotice({ item, userId, mine: mine(bids, userId), attempt })
  const offer = (amount: bigint): void => {
    // The button that was pressed is about to go.
    box.current?.focus({ preventScroll: true })
    bid(amount)
  }
  return (
    <Stack gap="md">
      <div ref={ref}>
        <BidForm
          item={item}
          busy={attempt?.phase === 'placing'}
          leads={item.highestBidderId === userId}
          place={bid}
          typed={typed}
          setTyped={setTyped}
          inputRef={input}
        />
      </div>
      <div ref={box} tabIndex={-1} style={{ outline: 'none' }}>
        <BidNoticeBox notice={notice} currency={item.currency} onOffer={offer} onRetry={retry} />
      </div>
      {entry && !entry.isIntersecting && (
        <BidBar item={item} userId={userId} notice={notice} onOffer={offer} input={input} />
      )}
    </Stack>
  )
}

/**
 * What stands in the field: forgotten once the bid is accepted that was sent with it, unless it has been
 * changed since.
 */
function useTyped(attempt: Attempt | undefined) {
  const [typed, setTyped] = useState<string>()
  const sent = useRef<string>(undefined)
  const key = acceptedKey(attempt)
  useEffect(() => {
    if (key !== undefined) setTyped((now) => (now === sent.current ? undefined : now))
  }, [key])
  const sending = (): void => {
    sent.current = typed
  }
  return { typed, setTyped, sending }
}

type LastBidProps = { item: Item; bidding: PlacedBids; bids: Bids; userId: string }

/** When bidding is over: how the bid fared that was sent just before. */
function LastBid({ item, bidding: { attempt, retry }, bids, userId }: LastBidProps) {
  if (!attempt || attempt.phase === 'accepted') return null
  const notice = bidNotice({ item, userId, mine: mine(bids, userId), attempt })
  if (!notice) return null
  const { offer: _, ...told } = notice
  return (
    <BidNoticeBox
      notice={told}
      currency={item.currency}
      onOffer={() => undefined}
      onRetry={retry}
    />
  )
}

function mine(bids: Bids, userId: string): bigint | undefined {
  return highestOf([...bids.top, ...bids.all], userId)
}

function OwnItem({ item }: { item: Item }) {
  return (
    <InPlaceOfForm Icon={IconUserCheck}>
      This is your item: others bid on it. You can{' '}
      <Anchor component={Link} href={`/items/${item.id}/edit`}>
        edit its description
      </Anchor>
      .
    </InPlaceOfForm>
  )
}

function NotYet({ item }: { item: Item }) {
  return (
    <InPlaceOfForm Icon={IconClock}>
      Bidding opens {formatMoment(startMs(item))}. Stay here, and the form appears by itself.
    </InPlaceOfForm>
  )
}

function Closing() {
  return <InPlaceOfForm Icon={IconGavel}>Going, going… the hammer is falling.</InPlaceOfForm>
}

type InPlaceOfFormProps = { Icon: typeof IconGavel; children: ReactNode }

function InPlaceOfForm({ Icon, children }: InPlaceOfFormProps) {
  return (
    <Stack flex={1} align="center" justify="center" py="lg" role="status">
      <ThemeIcon size={48} radius="xl" variant="light">
        <Icon size={26} stroke={1.5} aria-hidden />
      </ThemeIcon>
      <Text ta="center" maw={320}>
        {children}
      </Text>
    </Stack>
  )
}
