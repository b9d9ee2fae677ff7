/**
 * How a bot decides, and nothing else: what is on offer and chance in, a bid out. A bot has a private limit
 * for each item, which never changes, so that prices rise for as long as two bots want the same thing.
 */
import { createHash } from 'node:crypto'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'

/** What decisions need of an item. */
export type Offer = Pick<
  Item,
  | 'id'
  | 'sellerId'
  | 'startPrice'
  | 'currentHighestBid'
  | 'minimumNextBid'
  | 'highestBidderId'
  | 'endAt'
>

/** In [0, 1), as `Math.random`. */
export type Chance = () => number

/** Most bidders would pay little more than the start price, a few several times as much. */
const LIMIT_PERCENT_LEAST = 110
const LIMIT_PERCENT_SPREAD = 290

/** An item that ends now is about this many minutes more wanted than its time left says. */
const URGENCY_MINUTES = 1

/** So many bids are exactly the minimum; the others add one to three steps. */
const MINIMUM_BID_SHARE = 0.6
const EXTRA_STEPS_MAX = 3

const MINUTE_MS = 60_000

/** The most this bot would ever bid on the item, in minor units. */
export function privateLimit(name: string, { id, startPrice }: Offer): bigint {
  const digest = createHash('sha256').update(`${name} ${id}`).digest()
  const desire = (digest.readUInt32BE() / 2 ** 32) ** 2
  return (
    (startPrice * BigInt(Math.floor(LIMIT_PERCENT_LEAST + LIMIT_PERCENT_SPREAD * desire))) / 100n
  )
}

/** The bid to place now, or undefined when nothing is worth one: own, led already, too dear, over. */
export function decideBotBid(
  name: string,
  offers: readonly Offer[],
  nowMs: number,
  chance: Chance,
): { itemId: string; amount: bigint } | undefined {
  const wanted = offers.filter(
    (offer) =>
      offer.sellerId !== name &&
      offer.highestBidderId !== name &&
      leftMs(offer, nowMs) > 0 &&
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
