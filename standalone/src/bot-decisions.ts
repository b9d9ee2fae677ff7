/**
 * How a bot decides, and nothing else: what is on offer and chance in, a bid out. A bot has a private limit
 * for each item, which never changes, so that prices rise for as long as two bots want the same thing; some
 * wait until the end is near.
 */
import { createHash } from 'node:crypto'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { worthOf } from './bot-catalogue.ts'

/** What decisions need of an item. */
export type Offer = Pick<
  Item,
  'id' | 'title' | 'sellerId' | 'currentHighestBid' | 'minimumNextBid' | 'highestBidderId' | 'endAt'
>

/** In [0, 1), as `Math.random`. */
export type Chance = () => number

/** Of what the average bidder pays, in percent: most pay less, a few a good deal more. */
const LIMIT_PERCENT_LEAST = 30
const LIMIT_PERCENT_SPREAD = 115

/** One bidder in so many says nothing until the end is near. */
const SNIPER_ONE_IN = 6
const SNIPE_MS = 30_000

/** An item that ends now is about this many minutes more wanted than its time left says. */
const URGENCY_MINUTES = 1

/** So many bids are exactly the minimum; the others add one to three steps. */
const MINIMUM_BID_SHARE = 0.6
const EXTRA_STEPS_MAX = 3

const MINUTE_MS = 60_000

/** The most this bot would ever bid on the item, in minor units: what it is worth to them, whatever is asked. */
export function privateLimit(name: string, { id, title }: Offer): bigint {
  const digest = createHash('sha256').update(`${name} ${id}`).digest()
  const desire = (digest.readUInt32BE() / 2 ** 32) ** 2
  const percent = Math.floor(LIMIT_PERCENT_LEAST + LIMIT_PERCENT_SPREAD * desire)
  return (worthOf(title) * BigInt(percent)) / 100n
}

/** Whether this bot waits for the last moment, always. */
export function isSniper(name: string): boolean {
  return createHash('sha256').update(name).digest().readUInt8() % SNIPER_ONE_IN === 0
}

/** The bid to place now, or undefined when nothing is worth one: own, led already, too dear, over. */
export function decideBotBid(
  name: string,
  offers: readonly Offer[],
  nowMs: number,
  chance: Chance,
): { itemId: string; amount: bigint } | undefined {
  const reachMs = isSniper(name) ? SNIPE_MS : Infinity
  const wanted = offers.filter(
    (offer) =>
      offer.sellerId !== name &&
      offer.highestBidderId !== name &&
      leftMs(offer, nowMs) > 0 &&
      leftMs(offer, nowMs) < reachMs &&
      offer.minimumNextBid <= privateLimit(name, offer),
  )
  const offer = pickByUrgency(wanted, nowMs, chance)
  if (!offer) return undefined
  const amount = offer.minimumNextBid + extra(offer, chance)
  const limit = privateLimit(name, offer)
  return { itemId: offer.id, amount: amount < limit ? amount : limit }
}

/** One of them, or undefined of none; the sooner it ends, the likelier. */
export function pickByUrgency<T extends Pick<Offer, 'endAt'>>(
  offers: readonly T[],
  nowMs: number,
  chance: Chance,
): T | undefined {
  const weights = offers.map(
    (offer) => 1 / (Math.max(0, leftMs(offer, nowMs)) / MINUTE_MS + URGENCY_MINUTES),
  )
  let rest = chance() * weights.reduce((sum, weight) => sum + weight, 0)
  return offers.find((_, index) => (rest -= weights[index] ?? 0) < 0) ?? offers.at(-1)
}

export function leftMs({ endAt }: Pick<Offer, 'endAt'>, nowMs: number): number {
  return endAt ? timestampMs(endAt) - nowMs : 0
}

/** On top of the minimum: nothing, or a few steps as the item has them now. */
function extra({ minimumNextBid, currentHighestBid }: Offer, chance: Chance): bigint {
  if (chance() < MINIMUM_BID_SHARE || currentHighestBid === 0n) return 0n
  const steps = 1 + Math.floor(chance() * EXTRA_STEPS_MAX)
  return (minimumNextBid - currentHighestBid) * BigInt(steps)
}
