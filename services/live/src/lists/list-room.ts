/**
 * Many items on one stream, for list pages. Everybody with the same filter is in the same room and gets the
 * same bytes; changes are gathered for a moment, because a list shows where an item stands and not each step.
 */
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { type Burst, burstOf, itemsFrame, sharedBurst } from '../streams/frame.ts'
import type { ItemFeed } from '../feed/item-feed.ts'
import type { ItemRoom } from '../feed/item-room.ts'
import type { Turns } from '../feed/turns.ts'
import { type OpenViewer, sendTo, type Source, type Viewer } from '../streams/viewer.ts'

/** Ten updates a second are more than a list page can show. */
const GATHER_MS = 100
/** Of work to put a message together. */
const UNITS_TO_TELL = 2
/** Items of one room. */
export const LIST_ITEMS_MAX = 500

export type ListRoomOptions = {
  now: () => number
  turns: Turns
  /** An item has left the list to make room, or with the list. */
  onRemoved: (itemId: string) => void
}

export class ListRoom implements Source {
  readonly latest: () => Burst
  readonly clock: () => Burst
  readonly #options: ListRoomOptions
  readonly #viewers = new Set<Viewer>()
  readonly #members = new Map<string, ItemRoom>()
  readonly #changed = new Set<string>()
  readonly #onChange = (itemId: string): void => {
    this.#changed.add(itemId)
    this.#edition += 1
    this.#wait()
  }
  #timer: NodeJS.Timeout | undefined
  #edition = 0
  /** Number of the last message to all. */
  #last = 0
  #sending = false
  #closed = false

  constructor(options: ListRoomOptions) {
    this.#options = options
    const state = () => [this.#edition, this.#last]
    this.latest = sharedBurst(() => this.#tell([...this.#members.keys()]), state, options.now)
    this.clock = sharedBurst(() => this.#tell([]), state, options.now)
  }

  feeds(): ItemFeed[] {
    return [...this.#members.values()].map(({ feed }) => feed)
  }

  /** Lets an item's room in; the caller has counted it in use. False when the list is full, or has it. */
  add(itemId: string, room: ItemRoom): boolean {
    if (this.#closed || this.#members.has(itemId) || !this.#makeSpace()) return false
    this.#members.set(itemId, room)
    room.listeners.add(this.#onChange)
    this.#onChange(itemId)
    return true
  }

  /** Lets a viewer in, with all items. */
  enter(open: OpenViewer): Viewer {
    // What is still gathered would come as old news.
    if (this.#timer && !this.#sending) {
      clearTimeout(this.#timer)
      this.#timer = undefined
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

  #wait(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      // Many lists may have the same item.
      void this.#options.turns.room(UNITS_TO_TELL).then(() => this.#flush())
    }, GATHER_MS).unref()
  }

  #flush(): void {
    if (this.#sending || this.#changed.size === 0) return
    this.#sending = true
    this.#last += 1
    const burst = this.#tell([...this.#changed])
    this.#changed.clear()
    this.#options.turns.forEach(
      this.#viewers,
      (viewer) => viewer.units * burst.units,
      (viewer) => sendTo(viewer, burst),
      () => {
        this.#sending = false
        if (this.#changed.size > 0 && !this.#closed) this.#wait()
      },
    )
  }

  #tell(itemIds: readonly string[]): Burst {
    const entries = itemIds.flatMap((id) => this.#members.get(id)?.entry() ?? [])
    const serverTime = timestampFromMs(this.#options.now())
    return burstOf([itemsFrame(serverTime, entries)], this.#last, entries.length)
  }

  #remove(itemId: string): void {
    const room = this.#members.get(itemId)
    if (!room) return
    room.listeners.delete(this.#onChange)
    this.#members.delete(itemId)
    this.#options.onRemoved(itemId)
  }

  /** True when there is space for one more, if need be by letting go of one that has ended. */
  #makeSpace(): boolean {
    if (this.#members.size < LIST_ITEMS_MAX) return true
    for (const [itemId, { feed }] of this.#members) {
      if (isOpen(feed.item)) continue
      this.#remove(itemId)
      return true
    }
    return false
  }
}

function isOpen(item: Item | undefined): boolean {
  return item?.status === ItemStatus.ACTIVE || item?.status === ItemStatus.SCHEDULED
}
