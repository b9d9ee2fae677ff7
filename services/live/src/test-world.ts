/**
 * A world for tests of the hub: one item whose changes are committed one after the other, replicas that hear
 * of them late, twice or never, and viewers that keep what they were sent and complain of a step back.
 */
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemSchema, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import {
  BidPlacedSchema,
  ItemCancelledSchema,
  ItemEndedSchema,
  ItemOpenedSchema,
  ItemUpdatedSchema,
} from '@bidmesh/gen/events/v1/events_pb.ts'
import type { WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { applyEvent } from './apply-event.ts'
import type { Burst } from './frame.ts'
import type { ItemEvent } from './item-event.ts'
import type { Source, Viewer } from './viewer.ts'

export const itemId = '018f0000-0000-7000-8000-000000000001'
const startMs = Date.UTC(2026, 0, 1)

export function newItem(): Item {
  return create(ItemSchema, {
    id: itemId,
    title: 'Brass telescope',
    sellerId: 'sam',
    status: ItemStatus.SCHEDULED,
    startPrice: 1_000n,
    minimumNextBid: 1_000n,
    currency: 'EUR',
    endAt: timestampFromMs(startMs),
    version: 1n,
  })
}

export type ChangeKind = 'bid' | 'extending bid' | 'open' | 'update' | 'end' | 'cancel'

/** The item after a change, and its event; undefined for a change that the item is in no state for. */
export function commit(
  item: Item,
  kind: ChangeKind,
  userId: string,
): { item: Item; event: ItemEvent } | undefined {
  const version = item.version + 1n
  const at = timestampFromMs(startMs + Number(version))
  const opened = item.status === ItemStatus.ACTIVE
  const event = eventOf()
  if (!event) return undefined
  const changed = applyEvent(item, event)?.item
  return { item: changed ?? { ...item, title: `${item.title}!`, version }, event }

  function eventOf(): ItemEvent | undefined {
    switch (kind) {
      case 'open': {
        if (item.status !== ItemStatus.SCHEDULED) return undefined
        const message = create(ItemOpenedSchema, { itemId, openedAt: at, endAt: at, version })
        return { type: 'item.opened', message }
      }
      case 'update': {
        const message = create(ItemUpdatedSchema, { itemId, updatedAt: at, version })
        return { type: 'item.updated', message }
      }
      case 'cancel': {
        if (item.status === ItemStatus.ENDED) return undefined
        const message = create(ItemCancelledSchema, { itemId, reason: 'broken', version })
        return opened ? { type: 'item.cancelled', message } : undefined
      }
      case 'end': {
        if (!opened) return undefined
        const sold = item.sequence > 0n
        const message = create(ItemEndedSchema, {
          itemId,
          outcome: sold ? ItemOutcome.SOLD : ItemOutcome.UNSOLD,
          winnerId: item.highestBidderId,
          hammerPrice: item.currentHighestBid,
          version,
        })
        return { type: 'item.ended', message }
      }
      case 'bid':
      case 'extending bid':
        break
    }
    if (!opened) return undefined
    const sequence = item.sequence + 1n
    const message = create(BidPlacedSchema, {
      bidId: `018f0000-0000-7000-8000-${String(sequence).padStart(12, '0')}`,
      itemId,
      userId,
      amount: item.minimumNextBid,
      timestamp: at,
      sequence,
      previousHighestBid: item.currentHighestBid,
      previousHighestBidderId: item.highestBidderId,
      minimumNextBid: item.minimumNextBid + 100n,
      endAt: kind === 'extending bid' ? at : (item.endAt ?? at),
      extended: kind === 'extending bid',
      version,
    })
    return { type: 'bid.placed', message }
  }
}

/** What a client makes of a stream: the fields of an item that messages tell. */
export type Seen = Pick<
  Item,
  'sequence' | 'version' | 'currentHighestBid' | 'highestBidderId' | 'status' | 'minimumNextBid'
> & { title: string | undefined; endMs: bigint | undefined; winnerId: string }

export function seenOf(item: Item): Seen {
  const { sequence, version, currentHighestBid, highestBidderId, status, minimumNextBid } = item
  const { title, winnerId } = item
  const endMs = item.endAt && item.endAt.seconds * 1_000n + BigInt(item.endAt.nanos / 1e6)
  const head = { sequence, version, currentHighestBid, highestBidderId, status, minimumNextBid }
  return { ...head, title, winnerId, endMs }
}

/** A client: follows its stream, and throws at a gap or a step back. */
export class RecordingViewer implements Viewer {
  readonly userId: string
  readonly messages: WatchItemResponse[] = []
  seen: Seen | undefined
  frozen = false
  #missed = false
  #source: Source | undefined

  constructor(userId: string) {
    this.userId = userId
  }

  /** For `hub.watchItem`: a new stream of the same client. */
  readonly open = (source: Source): Viewer => {
    this.#source = source
    this.#missed = false
    return this
  }

  send(burst: Burst): void {
    if (this.frozen) {
      this.#missed = true
      return
    }
    for (const frame of burst.frames) {
      const message = frame.messageFor(this.userId)
      if (message.$typeName === 'live.v1.WatchItemResponse') this.#read(message)
    }
  }

  thaw(): void {
    this.frozen = false
    if (!this.#missed || !this.#source) return
    this.#missed = false
    this.send(this.#source.latest())
  }

  tick(): void {
    if (this.#source) this.send(this.#source.clock())
  }

  end(): void {
    this.#source = undefined
  }

  #read(message: WatchItemResponse): void {
    this.messages.push(message)
    const { event, sequence, version } = message
    const { seen } = this
    if (seen && (sequence < seen.sequence || version < seen.version)) {
      throw new Error(`a step back: ${seen.version} → ${version} by ${event.case}`)
    }
    if (event.case === 'snapshot') {
      if (!event.value.item) throw new Error('a snapshot without an item')
      this.seen = seenOf(event.value.item)
      return
    }
    if (!seen) throw new Error(`the first message is ${event.case}`)
    this.seen = follow(seen, message)
  }
}

function follow(seen: Seen, { event, sequence, version }: WatchItemResponse): Seen {
  const isChange = !['clock', 'chatMessage', 'viewerCount'].includes(event.case ?? '')
  const repeats = event.case === 'endMoved' && version === seen.version
  if (isChange && !repeats && version !== seen.version + 1n) {
    throw new Error(`a gap: ${seen.version} → ${version} by ${event.case}`)
  }
  if (!isChange && version !== seen.version) throw new Error(`${event.case} hides a change`)
  const at = { ...seen, sequence, version }
  switch (event.case) {
    case 'bidPlaced': {
      const { bid, minimumNextBid, endAt } = event.value
      if (!bid || bid.sequence !== seen.sequence + 1n) throw new Error('a bid is missing')
      const endMs = endAt && endAt.seconds * 1_000n + BigInt(endAt.nanos / 1e6)
      const price = { currentHighestBid: bid.amount, highestBidderId: bid.userId, minimumNextBid }
      return { ...at, ...price, endMs }
    }
    case 'opened': {
      const { endAt } = event.value
      const endMs = endAt && endAt.seconds * 1_000n + BigInt(endAt.nanos / 1e6)
      return { ...at, status: ItemStatus.ACTIVE, endMs }
    }
    case 'ended':
      return { ...at, status: ItemStatus.ENDED, winnerId: event.value.winnerId }
    case 'cancelled':
      return { ...at, status: ItemStatus.CANCELLED }
    case 'endMoved':
    case 'snapshot':
    case 'chatMessage':
    case 'viewerCount':
    case 'clock':
    case undefined:
      break
  }
  return at
}
