/**
 * Many items on one stream, for list pages. Everybody with the same filter is in the same room and gets the
 * same bytes; changes are gathered for a moment, because a list shows where an item stands and not each step.
 */
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  type ItemUpdate,
  ItemUpdateSchema,
  WatchItemsResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { type Burst, burstOf, itemsFrame, sharedBurst } from './frame.ts'
import type { ItemFeed } from './item-feed.ts'
import type { ItemRoom } from './item-room.ts'
import type { OpenViewer, Source, Viewer } from './viewer.ts'

/** Ten updates a second are more than a list page can show. */
const GATHER_MS = 100
/** Items of one room. */
export const LIST_ITEMS_MAX = 500

export type ListRoomOptions = {
  now: () => number
  /** An item has left the list to make room, or with the list. */
  onRemoved: (itemId: string) => void
}

type Member = { room: ItemRoom; onChange: () => void }

export class ListRoom implements Source {
  readonly latest: () => Burst
  readonly clock: () => Burst
  readonly #options: ListRoomOptions
  readonly #viewers = new Set<Viewer>()
  readonly #members = new Map<string, Member>()
  readonly #changed = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #edition = 0
  #closed = false

  constructor(options: ListRoomOptions) {
    this.#options = options
    const state = () => [this.#edition]
    this.latest = sharedBurst(() => this.#tell([...this.#members.keys()]), state, options.now)
    this.clock = sharedBurst(() => this.#tell([]), state, options.now)
  }

  feeds(): ItemFeed[] {
    return [...this.#members.values()].map(({ room }) => room.feed)
  }

  /** Lets an item's room in; the caller has counted it in use. False when the list is full, or has it. */
  add(itemId: string, room: ItemRoom): boolean {
    if (this.#closed || this.#members.has(itemId) || !this.#makeSpace()) return false
    const member = { room, onChange: () => this.#onChange(itemId) }
    this.#members.set(itemId, member)
    room.listeners.add(member.onChange)
    this.#onChange(itemId)
    return true
  }

  /** Lets a viewer in, with all items. */
  enter(open: OpenViewer): Viewer {
    // What is still gathered would come as old news.
    if (this.#timer) {
      clearTimeout(this.#timer)
      this.#flush()
    }
    const viewer = open(this)
    this.#viewers.add(viewer)
    viewer.send(this.latest())
    return viewer
  }

  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const itemId of this.#members.keys()) this.#remove(itemId)
  }

  #onChange(itemId: string): void {
    this.#changed.add(itemId)
    this.#edition += 1
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS).unref()
  }

  #flush(): void {
    this.#timer = undefined
    const burst = this.#tell([...this.#changed])
    this.#changed.clear()
    for (const viewer of this.#viewers) viewer.send(burst)
  }

  #tell(itemIds: readonly string[]): Burst {
    const updates = itemIds.flatMap((id) => {
      const item = this.#members.get(id)?.room.feed.item
      return item ? [update(item)] : []
    })
    const serverTime = timestampFromMs(this.#options.now())
    return burstOf([itemsFrame(create(WatchItemsResponseSchema, { serverTime, updates }))])
  }

  #remove(itemId: string): void {
    const member = this.#members.get(itemId)
    if (!member) return
    member.room.listeners.delete(member.onChange)
    this.#members.delete(itemId)
    this.#options.onRemoved(itemId)
  }

  /** True when there is space for one more, if need be by letting go of one that has ended. */
  #makeSpace(): boolean {
    if (this.#members.size < LIST_ITEMS_MAX) return true
    for (const [itemId, { room }] of this.#members) {
      if (isOpen(room.feed.item)) continue
      this.#remove(itemId)
      return true
    }
    return false
  }
}

function isOpen(item: Item | undefined): boolean {
  return item?.status === ItemStatus.ACTIVE || item?.status === ItemStatus.SCHEDULED
}

function update(item: Item): ItemUpdate {
  return create(ItemUpdateSchema, {
    itemId: item.id,
    sequence: item.sequence,
    version: item.version,
    currentHighestBid: item.currentHighestBid,
    minimumNextBid: item.minimumNextBid,
    bidCount: item.bidCount,
    ...(item.endAt && { endAt: item.endAt }),
    status: item.status,
    outcome: item.outcome,
    highestBidderId: item.highestBidderId,
    hammerPrice: item.hammerPrice,
    currency: item.currency,
  })
}
