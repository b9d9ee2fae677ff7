/**
 * Events as the projections need them: decoded and checked. Whatever cannot be applied is refused here,
 * before any transaction, with an error that is not transient: delivery then looks for the poison message
 * and dead-letters it alone.
 */
import { fromBinary } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { BidPlacedSchema, ItemEndedSchema } from '@bidmesh/gen/events/v1/events_pb.ts'
import type { IncomingEvent } from '@bidmesh/platform/broker/broker.ts'
import type { EventType } from '@bidmesh/events/event-types.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'

/** The events that change a statistic. All others are let pass: they are nothing to us, now or later. */
export const projectedTypes = ['bid.placed', 'item.ended'] as const satisfies readonly EventType[]

/** The event cannot be applied, now or later. */
export class PoisonEventError extends Error {
  override name = 'PoisonEventError'
}

type Common = {
  /** The inbox's key. */
  eventId: string
  itemId: string
  /** ISO 4217; empty when the event does not say. */
  currency: string
  atMs: number
}

export type BidFact = Common & {
  kind: 'bid'
  userId: string
  /** Minor units, 1 to 10^15. */
  amount: bigint
}

export type EndFact = Common & {
  kind: 'end'
  outcome: 'sold' | 'unsold'
  /** Empty unless sold. */
  winnerId: string
  /** Minor units; 0 unless sold. */
  hammerPrice: bigint
}

export type Fact = BidFact | EndFact

const MAX_AMOUNT_MINOR = 10n ** 15n
const currencyCode = /^([A-Z]{3})?$/
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** As in the protos of the API; NUL in particular has no place in a Postgres text. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const userId = /^[^\x00-\x1f\x7f]{1,128}$/u

/**
 * Undefined for an event that changes no statistic. Throws {@link PoisonEventError} that says what is
 * wrong with one that should.
 */
export function factOf(event: IncomingEvent): Fact | undefined {
  try {
    const fact = decode(event)
    if (!fact) return undefined
    check(uuid.test(fact.eventId), 'the event id is not a UUID')
    check(uuid.test(fact.itemId), 'item_id is not a UUID')
    check(currencyCode.test(fact.currency), 'currency is not an ISO 4217 code')
    return { ...fact, itemId: fact.itemId.toLowerCase(), eventId: fact.eventId.toLowerCase() }
  } catch (error) {
    throw new PoisonEventError(`${event.type} ${event.id}: ${messageOf(error)}`, { cause: error })
  }
}

function decode(event: IncomingEvent): Fact | undefined {
  if (event.type === 'bid.placed') return bidFact(event)
  if (event.type === 'item.ended') return endFact(event)
  return undefined
}

function bidFact(event: IncomingEvent): BidFact {
  const bid = fromBinary(BidPlacedSchema, event.payload)
  check(bid.bidId === event.id, 'bid_id is not the event id')
  check(userId.test(bid.userId), 'user_id is not 1 to 128 printable characters')
  check(bid.amount >= 1n && bid.amount <= MAX_AMOUNT_MINOR, 'amount is out of range')
  check(bid.timestamp !== undefined, 'timestamp is missing')
  return {
    kind: 'bid',
    eventId: event.id,
    itemId: bid.itemId,
    userId: bid.userId,
    currency: bid.currency,
    amount: bid.amount,
    atMs: validTimeMs(timestampMs(bid.timestamp)),
  }
}

function endFact(event: IncomingEvent): EndFact {
  const end = fromBinary(ItemEndedSchema, event.payload)
  const sold = end.outcome === ItemOutcome.SOLD
  check(sold || end.outcome === ItemOutcome.UNSOLD, 'outcome is neither SOLD nor UNSOLD')
  check(!sold || userId.test(end.winnerId), 'winner_id is not 1 to 128 printable characters')
  check(
    !sold || (end.hammerPrice >= 1n && end.hammerPrice <= MAX_AMOUNT_MINOR),
    'hammer_price is out of range',
  )
  check(end.endedAt !== undefined, 'ended_at is missing')
  return {
    kind: 'end',
    eventId: event.id,
    itemId: end.itemId,
    currency: end.currency,
    atMs: validTimeMs(timestampMs(end.endedAt)),
    outcome: sold ? 'sold' : 'unsold',
    winnerId: sold ? end.winnerId : '',
    hammerPrice: sold ? end.hammerPrice : 0n,
  }
}

/** Years 1970 to 9999: what both `Date` and Postgres write the same way. */
function validTimeMs(atMs: number): number {
  check(atMs >= 0 && atMs < Date.UTC(10_000, 0), 'the time is out of range')
  return atMs
}

function check(holds: boolean, fault: string): asserts holds {
  if (!holds) throw new Error(fault)
}
