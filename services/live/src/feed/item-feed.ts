/**
 * Where one watched item stands, and how it gets further. A feed has one position, a version, and all
 * viewers of the item are at it. It moves in two ways only, both forward:
 *
 *   event of the next version  → applied, told as it is
 *   a copy read from Postgres  → the events up to it are applied if they are here; otherwise the position
 *                                jumps to the copy, told as "read anew" (viewers get a snapshot)
 *
 * A version rises by exactly one with each change, so a hole in the events is seen at once: what comes after
 * it waits, and the item is read. Events that are old or come twice have a version that was passed and are
 * dropped. Lost events with nothing behind them are found by `notice`.
 */
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { applyEvent } from './apply-event.ts'
import type { ItemEvent } from '@bidmesh/events/decode-event.ts'

/** Events that wait behind a hole. More are dropped: reading the item makes up for them. */
const WAITING_MAX = 1_000
/**
 * How long a newcomer's copy may be ahead of the events before all viewers are moved to it. Events come
 * 5–70 ms after their commit; a jump costs those who watch the single steps.
 */
const CATCH_UP_MS = 250

export type Step = {
  item: Item
  /** Empty: the item was read anew. */
  messages: readonly WatchItemResponse[]
}

export type ItemFeedOptions = {
  /** The item as of a moment after the call; undefined when there is none. */
  read: () => Promise<Item | undefined>
  /** Called for each step, in order, synchronously. Not called for the first position. */
  onStep: (step: Step) => void
  /** Tests pass their own; resolves after so many ms. */
  sleep?: (ms: number) => Promise<void>
}

export class ItemFeed {
  readonly #read: ItemFeedOptions['read']
  readonly #onStep: ItemFeedOptions['onStep']
  readonly #sleep: (ms: number) => Promise<void>
  readonly #waiting = new Map<bigint, ItemEvent>()
  readonly #arrivals = new Set<{ version: bigint; resolve: () => void }>()
  #item: Item | undefined
  #noticed = 0n
  #reading = false
  #heardMeanwhile = false

  constructor(options: ItemFeedOptions) {
    this.#read = options.read
    this.#onStep = options.onStep
    this.#sleep = options.sleep ?? sleepUnref
  }

  /** Undefined before the first `fresh`. */
  get item(): Item | undefined {
    return this.#item
  }

  receive(event: ItemEvent): void {
    const { version } = event.message
    if (this.#item && version <= this.#item.version) return
    if (this.#waiting.size >= WAITING_MAX) this.#waiting.clear()
    this.#waiting.set(version, event)
    this.#heardMeanwhile = true
    this.#drain()
    if (this.#item && this.#waiting.size > 0) void this.#readAnew()
  }

  /**
   * Resolves to the item once the feed is where Postgres was at the call, or further; undefined when no
   * such item exists. Rejects when Postgres cannot be read.
   */
  async fresh(): Promise<Item | undefined> {
    const copy = await this.#read()
    if (!copy) return undefined
    if (this.#item && this.#item.version < copy.version) await this.#arrivalOf(copy.version)
    this.#reach(copy)
    if (this.#waiting.size > 0) void this.#readAnew()
    return this.#item
  }

  /**
   * Tells the version Postgres has now. What is still behind it at the next call has lost an event or
   * waits for a relay that is unavailable, and is read.
   */
  notice(version: bigint): void {
    if (this.#item && this.#item.version < this.#noticed) void this.#readAnew()
    if (version > this.#noticed) this.#noticed = version
  }

  #moveTo(step: Step): void {
    this.#item = step.item
    this.#waiting.delete(step.item.version)
    this.#onStep(step)
  }

  /** Applies what waits and fits. */
  #drain(): void {
    while (this.#item) {
      const event = this.#waiting.get(this.#item.version + 1n)
      const change = event && applyEvent(this.#item, event)
      if (!change) break
      this.#moveTo(change)
    }
    const reached = this.#item?.version ?? 0n
    for (const arrival of this.#arrivals) if (arrival.version <= reached) arrival.resolve()
  }

  /** Position at least that of `copy`, in steps if possible. */
  #reach(copy: Item): void {
    this.#drain()
    if (!this.#item) this.#item = copy
    else if (this.#item.version < copy.version) this.#moveTo({ item: copy, messages: [] })
    for (const version of this.#waiting.keys()) {
      if (version <= this.#item.version) this.#waiting.delete(version)
    }
    this.#drain()
  }

  async #readAnew(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    do {
      this.#heardMeanwhile = false
      let copy: Item | undefined
      try {
        copy = await this.#read()
      } catch {
        // Whoever keeps noticing versions will see that it is still behind.
        break
      }
      if (copy) this.#reach(copy)
      // An event is committed before it is heard of, so a copy read after it has it, unless the database
      // is not the one the event came from.
      if (!this.#heardMeanwhile) this.#waiting.clear()
    } while (this.#waiting.size > 0)
    this.#reading = false
  }

  async #arrivalOf(version: bigint): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const arrival = { version, resolve }
    this.#arrivals.add(arrival)
    await Promise.race([promise, this.#sleep(CATCH_UP_MS)])
    this.#arrivals.delete(arrival)
  }
}

function sleepUnref(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
