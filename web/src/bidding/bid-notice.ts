/** What a bidder is told beside the form: how their last bid fared, and whether somebody has outbid them. */
import { isYou, nameOf } from '../ui/person-name.ts'
import { type Item, BidRejectionReason as Reason } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Attempt } from './bid-attempt.ts'
import { formatMoney } from '../ui/money.ts'

export type Notice = {
  tone: 'busy' | 'good' | 'outbid' | 'bad'
  title: string
  text: string
  /** A bid of this amount is one tap away, in minor units. */
  offer?: bigint
  /** The same bid again, with the same key. */
  retry?: boolean
  /** To sign in again helps. */
  signIn?: boolean
}

export type Standing = {
  item: Pick<Item, 'currency' | 'currentHighestBid' | 'highestBidderId' | 'minimumNextBid'>
  userId: string
  /** The user's highest known bid on the item. */
  mine: bigint | undefined
  attempt: Attempt | undefined
}

/** Undefined: nothing to say. */
export function bidNotice({ item, userId, mine, attempt }: Standing): Notice | undefined {
  const leads = isYou(item.highestBidderId, userId)
  const money = (amount: bigint): string => formatMoney(amount, item.currency)
  switch (attempt?.phase) {
    case 'placing':
      return { tone: 'busy', title: `Placing ${money(attempt.amount)}…`, text: 'Not yet accepted.' }
    case 'undecided':
      return {
        tone: 'bad',
        title: 'Not placed',
        text:
          attempt.words ?? `The server is too busy to decide your bid of ${money(attempt.amount)}.`,
        retry: true,
      }
    case 'signed-out':
      return {
        tone: 'bad',
        title: 'Sign in again',
        text: `Your sign-in has ended, and your bid of ${money(attempt.amount)} was not placed. It is kept for you.`,
        signIn: true,
      }
    case 'unknown':
      return {
        tone: 'bad',
        title: 'No answer',
        text:
          `Your bid of ${money(attempt.amount)} may or may not have been placed. ` +
          'Trying again is safe: it counts once.',
        retry: true,
      }
    case 'rejected':
      // Overtaken by events: no point in telling the leader of a bid that was too low.
      if (!leads || attempt.reason !== Reason.TOO_LOW) return rejection(attempt, item, money)
      break
    case 'accepted':
    case undefined:
  }
  if (leads) {
    const text = `Your bid of ${money(item.currentHighestBid)} is the highest.`
    return { tone: 'good', title: attempt ? 'Accepted: you lead' : 'You lead', text }
  }
  if (mine === undefined) return undefined
  const theirs = `${nameOf(item.highestBidderId)} bid ${money(item.currentHighestBid)}`
  return {
    tone: 'outbid',
    title: 'You have been outbid',
    text: `${theirs}; your highest is ${money(mine)}.`,
    offer: item.minimumNextBid,
  }
}

function rejection(
  attempt: Extract<Attempt, { phase: 'rejected' }>,
  item: Standing['item'],
  money: (amount: bigint) => string,
): Notice {
  const { amount, reason, words } = attempt
  if (reason === Reason.TOO_LOW) {
    const told = attempt.minimumNextBid
    const least = told > item.minimumNextBid ? told : item.minimumNextBid
    const text = `${money(amount)} is not enough any more: the next bid is at least ${money(least)}.`
    return { tone: 'bad', title: 'Too low', text, offer: least }
  }
  const [title, text] = rejections.get(reason) ?? ['Not placed', words]
  return { tone: 'bad', title, text }
}

const rejections = new Map<Reason, readonly [title: string, text: string]>([
  [Reason.OWN_ITEM, ['This is your item', 'Sellers cannot bid on what they sell.']],
  [Reason.NOT_STARTED, ['Too early', 'Bidding has not started yet.']],
  [Reason.ENDED, ['Too late', 'Bidding was over when your bid arrived.']],
  [Reason.CANCELLED, ['Cancelled', 'The seller has cancelled this listing.']],
  [Reason.ITEM_NOT_FOUND, ['Not found', 'There is no such item any more.']],
  [Reason.KEY_REUSED, ['Not placed', 'Something went wrong on our side. Place your bid again.']],
])
