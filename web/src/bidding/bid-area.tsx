/**
 * Where a viewer can bid, or is told why not. Who leads is not invited to outbid themselves: the form comes
 * back when they ask for it, or when somebody else has taken the lead.
 */
import { isYou } from '../ui/person-name.ts'
import { Anchor, Button, Stack, Text, ThemeIcon } from '@mantine/core'
import { useIntersection } from '@mantine/hooks'
import { IconClock, IconGavel, IconUserCheck } from '@tabler/icons-react'
import { type ReactNode, type RefObject, useEffect, useRef, useState } from 'react'
import { Link } from 'wouter'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { readBid } from './bid-amount.ts'
import { acceptedKey, type Attempt } from './bid-attempt.ts'
import { BidBar } from './bid-bar.tsx'
import { BidForm } from './bid-form.tsx'
import { highestOf } from './bid-list.ts'
import { bidNotice } from './bid-notice.ts'
import { BidNoticeBox } from './bid-notice-box.tsx'
import { ConfirmBid } from './confirm-bid.tsx'
import { isHighBid } from './high-bid.ts'
import { forgetKeptBid, keepBid, keptBid } from './kept-bid.ts'
import { session } from '../app/session.ts'
import { SignInFirst, useLack } from '../ui/sign-in-first.tsx'
import { type ItemPhase, startMs } from '../item/item-phase.ts'
import { moneyText } from '../ui/money-text.ts'
import { formatMoment } from '../ui/time.ts'
import type { Bidding } from './use-bidding.ts'
import type { Bids } from './use-bids.ts'

/** What is behind the header cannot be seen. */
const BELOW_HEADER = '-60px 0px 0px 0px'

export type BidAreaProps = LastBidProps & { phase: ItemPhase; offline: boolean }

export function BidArea(props: BidAreaProps) {
  const { item, phase, userId } = props
  const lack = useLack('bidder')
  if (userId !== '' && item.sellerId === userId) return <OwnItem item={item} />
  if (phase === 'scheduled') return <NotYet item={item} />
  if (phase !== 'closing' && lack === 'sign-in') return <SignInFirst what="bid" />
  if (phase !== 'closing' && lack === 'role') return <MayNotBid />
  if (phase !== 'closing') return <OpenBidding {...props} />
  return (
    <>
      <Closing />
      <LastBid {...props} />
    </>
  )
}

function OpenBidding({ item, bidding, bids, userId, offline }: BidAreaProps) {
  const { attempt, place, retry } = bidding
  const { typed, setTyped, sending } = useTyped(attempt, keptBid(item.id, userId))
  const [asked, setAsked] = useState<bigint>()
  const { ref, entry } = useIntersection({ rootMargin: BELOW_HEADER })
  const input = useRef<HTMLInputElement>(null)
  const box = useRef<HTMLDivElement>(null)
  const busy = attempt?.phase === 'placing'
  const leads = isYou(item.highestBidderId, userId)
  const { raising, raise } = useRaising(leads, acceptedKey(attempt), input)
  const showsForm = !leads || raising || busy
  useFocusWhenGone(showsForm, box)

  const text = typed ?? moneyText(item.minimumNextBid, item.currency)
  const read = readBid(text, item)
  const bid = (amount: bigint): void => {
    setAsked(undefined)
    sending()
    place(amount)
  }
  const ask = (amount: bigint): void =>
    typed !== undefined && isHighBid(amount, item) ? setAsked(amount) : bid(amount)
  const offer = (amount: bigint): void => {
    // The button that was pressed is about to go.
    box.current?.focus({ preventScroll: true })
    bid(amount)
  }
  const write = (): void => {
    input.current?.scrollIntoView({ block: 'center' })
    input.current?.focus({ preventScroll: true })
  }
  const notice = bidNotice({ item, userId, mine: mine(bids, userId), attempt })
  const bar = { item, userId, notice, read, offline, onOffer: offer, onBid: ask, onWrite: write }
  return (
    <Stack gap="md">
      <div ref={ref}>
        {showsForm ? (
          <BidForm
            {...{ item, busy, leads, text, typed, setTyped, read, offline, place: ask }}
            inputRef={input}
          />
        ) : (
          <Button variant="default" fullWidth onClick={raise} data-testid="raise-own">
            Raise my own bid
          </Button>
        )}
      </div>
      <div ref={box} tabIndex={-1} style={{ outline: 'none', order: showsForm ? 0 : -1 }}>
        <BidNoticeBox
          notice={notice}
          currency={item.currency}
          offline={offline}
          onOffer={offer}
          onRetry={retry}
          onSignIn={signInWithBid(item, userId, attempt)}
        />
      </div>
      <ConfirmBid
        item={item}
        amount={asked !== undefined && asked >= item.minimumNextBid ? asked : undefined}
        onYes={bid}
        onNo={() => setAsked(undefined)}
      />
      {entry && !entry.isIntersecting && <BidBar {...bar} showsBid={showsForm} />}
    </Stack>
  )
}

/** Whether a leader has asked to raise their own bid: forgotten when they did, and when they lead no more. */
function useRaising(
  leads: boolean,
  accepted: string | undefined,
  input: RefObject<HTMLInputElement | null>,
) {
  const [raising, setRaising] = useState(false)
  const [seen, setSeen] = useState(accepted)
  if (raising && (!leads || accepted !== seen)) setRaising(false)
  if (accepted !== seen) setSeen(accepted)
  useEffect(() => {
    if (raising) input.current?.focus()
  }, [raising, input])
  return { raising, raise: () => setRaising(true) }
}

/** Who pressed a button of a form that is gone now goes on from the place beside it. */
function useFocusWhenGone(shows: boolean, box: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const isLost = document.activeElement === null || document.activeElement === document.body
    if (!shows && isLost) box.current?.focus({ preventScroll: true })
  }, [shows, box])
}

/**
 * What stands in the field: forgotten once the bid is accepted that was sent with it, unless it has been
 * changed since.
 */
function useTyped(attempt: Attempt | undefined, kept: () => string | undefined) {
  const [typed, setTyped] = useState(kept)
  useEffect(forgetKeptBid, [])
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

/** Goes to the issuer; the bid is in the form when they come back. */
function signInWithBid(item: Item, userId: string, attempt: Attempt | undefined) {
  return (): void => {
    if (attempt)
      keepBid({ itemId: item.id, userId, text: moneyText(attempt.amount, item.currency) })
    void session.signIn()
  }
}

export type LastBidProps = { item: Item; bidding: Bidding; bids: Bids; userId: string }

/** When bidding is over: how the bid fared that was sent just before. */
export function LastBid({ item, bidding: { attempt, retry }, bids, userId }: LastBidProps) {
  if (!attempt || attempt.phase === 'accepted') return null
  const notice = bidNotice({ item, userId, mine: mine(bids, userId), attempt })
  if (!notice) return null
  const { offer: _, ...told } = notice
  return (
    <BidNoticeBox
      notice={told}
      currency={item.currency}
      offline={false}
      onOffer={() => undefined}
      onRetry={retry}
      onSignIn={() => void session.signIn()}
    />
  )
}

function mine(bids: Bids, userId: string): bigint | undefined {
  return highestOf([...bids.top, ...bids.all], userId)
}

function OwnItem({ item }: { item: Item }) {
  return (
    <InPlaceOfForm Icon={IconUserCheck}>
      This is your own item, so you cannot bid on it. You can{' '}
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
      Bidding starts {formatMoment(startMs(item))}. Stay on this page: the form appears by itself.
    </InPlaceOfForm>
  )
}

function MayNotBid() {
  return (
    <InPlaceOfForm Icon={IconGavel}>
      Your account may not bid. You see every bid as it comes.
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
