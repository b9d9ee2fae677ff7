/**
 * One watched item with its viewers. Everything a viewer gets passes here, and all of them are at the same
 * position: a newcomer is let in once the feed is where Postgres was when they came, and from then on gets
 * what everybody gets. Frames of one batch of events are gathered and sent as one burst.
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { itemNotFound } from '@bidmesh/bid/errors.ts'
import { type Burst, burstOf, type Frame, itemFrame, sharedBurst } from './frame.ts'
import { type ChatLine, chatMessage } from './chat.ts'
import type { ItemEvent } from './item-event.ts'
import { ItemFeed, type Step } from './item-feed.ts'
import { createReplay, type Replay } from './replay.ts'
import type { OpenViewer, Source, Viewer } from './viewer.ts'

/** Messages × viewers of one burst; above it all get the latest state instead. About 30 MB in one go. */
const DELIVERIES_MAX = 100_000
/** Counting viewers may cost this much: small rooms learn at once, one of 10,000 every five seconds. */
const COUNT_INTERVAL_MIN_MS = 500
const COUNT_INTERVAL_PER_VIEWER_MS = 0.5

export type ItemRoomOptions = {
  read: () => Promise<Item | undefined>
  /** The time to tell viewers, in ms since 1970. */
  now: () => number
  /** After each burst of changes. `occurredAtMs` is that of its oldest bid, undefined without one. */
  onSent?: (viewers: number, messages: number, occurredAtMs: number | undefined) => void
  sleep?: (ms: number) => Promise<void>
}

type Told = NonNullable<MessageInitShape<typeof WatchItemResponseSchema>['event']>

export class ItemRoom implements Source {
  readonly feed: ItemFeed
  /** Called with each step of the item, once it was sent. */
  readonly listeners = new Set<() => void>()
  readonly latest: () => Burst
  readonly clock: () => Burst
  readonly #options: ItemRoomOptions
  readonly #viewers = new Set<Viewer>()
  #replay: Replay | undefined
  #gathered: Frame[] = []
  #gathering = false
  #oldestMs: number | undefined
  #viewerCount = 0
  /** Undefined when not all viewers were told the same. */
  #toldCount: number | undefined = 0
  #toldCountAtMs = 0

  constructor(options: ItemRoomOptions) {
    this.#options = options
    this.feed = new ItemFeed({ ...options, onStep: (step) => this.#onStep(step) })
    const state = () => [this.#position(), this.#viewerCount]
    this.latest = sharedBurst(() => burstOf([this.#snapshot()]), state, options.now)
    const clock = () => burstOf([this.#frame({ case: 'clock', value: {} })])
    this.clock = sharedBurst(clock, state, options.now)
  }

  receive(event: ItemEvent): void {
    this.#gathering = true
    this.feed.receive(event)
  }

  /** Sends what the events since the last call have changed. */
  flush(): void {
    this.#gathering = false
    const frames = this.#gathered
    if (frames.length === 0) return
    this.#gathered = []
    const viewers = this.#viewers.size
    const burst = frames.length * viewers > DELIVERIES_MAX ? this.latest() : burstOf(frames)
    this.#send(burst)
    this.#options.onSent?.(viewers, burst.frames.length, this.#oldestMs)
    this.#oldestMs = undefined
    for (const listener of this.listeners) listener()
  }

  /** Lets a viewer in with what it missed since `afterSequence`, or the state. See `WatchItem` for errors. */
  async enter(open: OpenViewer, afterSequence: bigint | undefined): Promise<Viewer> {
    if (!(await this.feed.fresh())) throw itemNotFound()
    const { sequence } = this.#position()
    this.#replay ??= createReplay(sequence)
    // A number that is ahead comes from before the database was restored, or from another item.
    const known = afterSequence !== undefined && afterSequence <= sequence
    const missed = known ? this.#replay.after(afterSequence) : undefined
    const viewer = open(this)
    this.#viewers.add(viewer)
    // Who comes back may have been told another number, or the number of another server.
    if (missed && this.#toldCount !== this.#viewerCount) this.#toldCount = undefined
    viewer.send(missed ? burstOf([...missed, this.#count()]) : this.latest())
    return viewer
  }

  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer)
  }

  say(line: ChatLine): void {
    if (!this.feed.item) return
    this.#send(burstOf([this.#frame({ case: 'chatMessage', value: chatMessage(line) })]))
  }

  setViewerCount(count: number): void {
    this.#viewerCount = count
  }

  /** Sends the number of viewers if it has changed; false when that is not due yet. */
  sendViewerCount(): boolean {
    const viewers = this.#viewers.size
    if (this.#viewerCount === this.#toldCount || viewers === 0) return true
    const nowMs = this.#options.now()
    const intervalMs = Math.max(COUNT_INTERVAL_MIN_MS, viewers * COUNT_INTERVAL_PER_VIEWER_MS)
    if (nowMs - this.#toldCountAtMs < intervalMs) return false
    this.#toldCount = this.#viewerCount
    this.#toldCountAtMs = nowMs
    this.#send(burstOf([this.#count()]))
    return true
  }

  #count(): Frame<WatchItemResponse> {
    return this.#frame({ case: 'viewerCount', value: { viewers: BigInt(this.#viewerCount) } })
  }

  #onStep({ item, messages }: Step): void {
    const serverTime = timestampFromMs(this.#options.now())
    if (messages.length === 0) this.#gather(this.#snapshot())
    for (const message of messages) {
      message.serverTime = serverTime
      this.#gather(itemFrame(message, item.highestBidderId, outbidBy(message)))
    }
    if (!this.#gathering) this.flush()
  }

  #gather(frame: Frame<WatchItemResponse>): void {
    this.#gathered.push(frame)
    const { sequence, event } = frame.messageFor('')
    this.#replay?.add({ sequence, kind: kindOf(event.case), frame })
    const createdAt = event.case === 'bidPlaced' ? event.value.bid?.createdAt : undefined
    if (createdAt) this.#oldestMs ??= timestampMs(createdAt)
  }

  #send(burst: Burst): void {
    for (const viewer of this.#viewers) viewer.send(burst)
  }

  #frame(event: Told): Frame<WatchItemResponse> {
    const { sequence, version, highestBidderId } = this.#position()
    const serverTime = timestampFromMs(this.#options.now())
    const message = create(WatchItemResponseSchema, { sequence, version, serverTime, event })
    return itemFrame(message, highestBidderId)
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

function kindOf(told: string | undefined): 'bid' | 'end' | 'other' {
  if (told === 'bidPlaced') return 'bid'
  return told === 'endMoved' ? 'end' : 'other'
}

/** Whom a bid took the lead from; '' when it is nobody, or the bidder's own. */
function outbidBy({ event }: WatchItemResponse): string {
  if (event.case !== 'bidPlaced') return ''
  const { previousHighestBidderId, bid } = event.value
  return previousHighestBidderId === bid?.userId ? '' : previousHighestBidderId
}
