/**
 * One watched item with its viewers. Everything a viewer gets passes here, and all of them see the same
 * frames in the same order: a newcomer is let in once the feed is where Postgres was when they came, and from
 * then on gets what everybody gets. Frames of one batch of events are gathered and sent as one burst; one
 * burst is on its way at a time, and what comes to be meanwhile is the next.
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { itemNotFound } from './item-not-found.ts'
import { type Burst, burstOf, type Frame, itemFrame, sharedBurst } from '../streams/frame.ts'
import { type ChatMessage, chatMessage } from '../chat/chat.ts'
import type { ItemEvent } from '@bidmesh/events/decode-event.ts'
import { ItemFeed, type Step } from './item-feed.ts'
import { type ListEntry, listEntry } from '../lists/list-entry.ts'
import { createReplay, type Replay } from './replay.ts'
import type { Turns } from './turns.ts'
import { type OpenViewer, sendTo, type Source, type Viewer } from '../streams/viewer.ts'

/** Messages × viewers of one burst; above it all get the latest state instead. About 30 MB in one go. */
const DELIVERIES_MAX = 100_000
/** Chat messages that wait to be shown; of more, the oldest are not: they are in the list of messages all the same. */
const MESSAGES_WAITING_MAX = 50
/** They are shown together, ten times a second, and in a room of 10,000 once: writing costs 100 ms there. */
const MESSAGES_INTERVAL_MIN_MS = 100
const MESSAGES_INTERVAL_PER_VIEWER_MS = 0.1
/** Of work to let one viewer in: the head of an answer and a first message, 50 µs. */
export const UNITS_TO_ENTER = 5
/** Counting viewers may cost this much: small rooms learn at once, one of 10,000 every five seconds. */
const COUNT_INTERVAL_MIN_MS = 500
const COUNT_INTERVAL_PER_VIEWER_MS = 0.5

export type ItemRoomOptions = {
  read: () => Promise<Item | undefined>
  /** The time to tell viewers, in ms since 1970. */
  now: () => number
  turns: Turns
  /** After each burst of changes. `occurredAtMs` is that of its oldest bid, undefined without one. */
  onSent?: (viewers: number, messages: number, occurredAtMs: number | undefined) => void
  sleep?: (ms: number) => Promise<void>
}

type Told = NonNullable<MessageInitShape<typeof WatchItemResponseSchema>['event']>

export class ItemRoom implements Source {
  readonly feed: ItemFeed
  /** Called with each step of the item. */
  readonly listeners = new Set<(itemId: string) => void>()
  readonly latest: () => Burst
  readonly clock: () => Burst
  readonly #options: ItemRoomOptions
  readonly #viewers = new Set<Viewer>()
  #replay: Replay | undefined
  /** Number of the last frame. */
  #last = 0
  #gathered: Frame[] = []
  #gathering = false
  #sending = false
  #oldestMs: number | undefined
  #messages: ChatMessage[] = []
  #messagesAtMs = 0
  #viewerCount = 0
  /** Undefined when not all viewers were told the same. */
  #toldCount: number | undefined = 0
  #toldCountAtMs = 0
  #entry: { of: Item; entry: ListEntry } | undefined

  constructor(options: ItemRoomOptions) {
    this.#options = options
    this.feed = new ItemFeed({ ...options, onStep: (step) => this.#onStep(step) })
    const state = () => [this.#position(), this.#viewerCount, this.#last]
    const one = (frame: Frame) => burstOf([frame], this.#last)
    this.latest = sharedBurst(() => one(this.#snapshot()), state, options.now)
    this.clock = sharedBurst(
      () => one(this.#frame({ case: 'clock', value: {} })),
      state,
      options.now,
    )
  }

  receive(event: ItemEvent): void {
    this.#gathering = true
    this.feed.receive(event)
  }

  /** Sends what the events since the last call have changed. */
  flush(): void {
    this.#gathering = false
    this.#sendChanges()
  }

  /** Lets a viewer in with what it missed since `afterSequence`, or the state. See `WatchItem` for errors. */
  async enter(open: OpenViewer, afterSequence: bigint | undefined): Promise<Viewer> {
    if (!(await this.feed.fresh())) throw itemNotFound()
    await this.#options.turns.room(UNITS_TO_ENTER)
    const { sequence } = this.#position()
    this.#replay ??= createReplay(sequence)
    // A number that is ahead comes from before the database was restored, or from another item.
    const known = afterSequence !== undefined && afterSequence <= sequence
    const missed = known ? this.#replay.after(afterSequence) : undefined
    const viewer = open(this)
    this.#viewers.add(viewer)
    // Who comes back may have been told another number, or the number of another server.
    if (missed && this.#toldCount !== this.#viewerCount) this.#toldCount = undefined
    viewer.send(missed ? burstOf([...missed, this.#count()], this.#last) : this.latest())
    return viewer
  }

  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer)
  }

  say(message: ChatMessage): void {
    if (!this.feed.item || this.#viewers.size === 0) return
    this.#messages.push(message)
    if (this.#messages.length > MESSAGES_WAITING_MAX) this.#messages.shift()
  }

  setViewerCount(count: number): void {
    this.#viewerCount = count
  }

  /** Sends chat and the number of viewers, as far as they are due; false when some of it is not yet. */
  sendCompany(): boolean {
    if (this.#viewers.size === 0) this.#messages = []
    if (this.#sending) return false
    const frames = [...this.#messagesDue(), ...this.#countDue()]
    this.#last += frames.length
    this.#broadcast(burstOf(frames, this.#last))
    const counted = this.#viewerCount === this.#toldCount || this.#viewers.size === 0
    return counted && this.#messages.length === 0
  }

  /** The item as lists show it. */
  entry(): ListEntry | undefined {
    const { item } = this.feed
    if (item && this.#entry?.of !== item) this.#entry = { of: item, entry: listEntry(item) }
    return this.#entry?.entry
  }

  #messagesDue(): Frame[] {
    const nowMs = this.#options.now()
    if (!this.#isDue(this.#messagesAtMs, MESSAGES_INTERVAL_MIN_MS, MESSAGES_INTERVAL_PER_VIEWER_MS))
      return []
    if (this.#messages.length > 0) this.#messagesAtMs = nowMs
    const messages = this.#messages
    this.#messages = []
    return messages.map((message) =>
      this.#frame({ case: 'chatMessage', value: chatMessage(message) }),
    )
  }

  #countDue(): Frame[] {
    if (this.#viewerCount === this.#toldCount || this.#viewers.size === 0) return []
    if (!this.#isDue(this.#toldCountAtMs, COUNT_INTERVAL_MIN_MS, COUNT_INTERVAL_PER_VIEWER_MS))
      return []
    this.#toldCount = this.#viewerCount
    this.#toldCountAtMs = this.#options.now()
    return [this.#count()]
  }

  #isDue(atMs: number, minMs: number, perViewerMs: number): boolean {
    const intervalMs = Math.max(minMs, this.#viewers.size * perViewerMs)
    return this.#options.now() - atMs >= intervalMs
  }

  #sendChanges(): void {
    if (this.#sending || this.#gathered.length === 0) return
    const frames = this.#gathered
    const [viewers, oldestMs] = [this.#viewers.size, this.#oldestMs]
    this.#gathered = []
    this.#oldestMs = undefined
    const tooMany = frames.length * viewers > DELIVERIES_MAX
    const burst = tooMany ? this.latest() : burstOf(frames, this.#last)
    this.#broadcast(burst, () => this.#options.onSent?.(viewers, burst.frames.length, oldestMs))
  }

  #broadcast(burst: Burst, onSent?: () => void): void {
    if (burst.frames.length === 0) return
    this.#sending = true
    this.#options.turns.forEach(
      this.#viewers,
      (viewer) => viewer.units * burst.units,
      (viewer) => sendTo(viewer, burst),
      () => {
        this.#sending = false
        onSent?.()
        if (!this.#gathering) this.#sendChanges()
      },
    )
  }

  #count(): Frame<WatchItemResponse> {
    return this.#frame({ case: 'viewerCount', value: { viewers: BigInt(this.#viewerCount) } })
  }

  #onStep({ item, messages }: Step): void {
    const serverTime = timestampFromMs(this.#options.now())
    if (messages.length === 0) this.#gather(this.#snapshot())
    for (const message of messages) {
      message.serverTime = serverTime
      const { highestBidderId, sellerId } = item
      this.#gather(itemFrame(message, highestBidderId, outbidBy(message), sellerId))
    }
    for (const listener of this.listeners) listener(item.id)
    if (!this.#gathering) this.#sendChanges()
  }

  #gather(frame: Frame<WatchItemResponse>): void {
    this.#last += 1
    this.#gathered.push(frame)
    const { sequence, event } = frame.messageFor('')
    this.#replay?.add({ sequence, kind: kindOf(event), frame })
    const createdAt = event.case === 'bidPlaced' ? event.value.bid?.createdAt : undefined
    if (createdAt) this.#oldestMs ??= timestampMs(createdAt)
  }

  #frame(event: Told): Frame<WatchItemResponse> {
    const { sequence, version, highestBidderId, sellerId } = this.#position()
    const serverTime = timestampFromMs(this.#options.now())
    const message = create(WatchItemResponseSchema, { sequence, version, serverTime, event })
    return itemFrame(message, highestBidderId, '', sellerId)
  }

  #snapshot(): Frame<WatchItemResponse> {
    if (this.#toldCount !== this.#viewerCount) this.#toldCount = undefined
    const value = { item: this.#position(), viewerCount: BigInt(this.#viewerCount) }
    return this.#frame({ case: 'snapshot', value })
  }

  #position(): Item {
    const { item } = this.feed
    if (!item) throw new Error('nobody is let into a room before its item was read')
    return item
  }
}

function kindOf(told: WatchItemResponse['event']): 'bid' | 'end' | 'other' {
  if (told.case === 'bidPlaced') return 'bid'
  const isOfBid = told.case === 'endMoved' && told.value.reason === ExtensionReason.LATE_BID
  return isOfBid ? 'end' : 'other'
}

/** Whom a bid took the lead from; '' when it is nobody, or the bidder's own. */
function outbidBy({ event }: WatchItemResponse): string {
  if (event.case !== 'bidPlaced') return ''
  const { previousHighestBidderId, bid } = event.value
  return previousHighestBidderId === bid?.userId ? '' : previousHighestBidderId
}
