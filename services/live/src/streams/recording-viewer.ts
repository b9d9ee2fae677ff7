/** Viewers for tests: they keep what they were sent, and complain of a gap or a step back. */
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import type { Burst } from './frame.ts'
import { NOTHING_SEEN, type Source, type Viewer } from './viewer.ts'

/** What a client makes of a stream: the fields of an item that messages tell. */
export type Seen = Pick<
  Item,
  'sequence' | 'version' | 'currentHighestBid' | 'highestBidderId' | 'status' | 'minimumNextBid'
> & { title: string | undefined; endMs: bigint | undefined; winnerId: string }

export function seenOf(item: Item): Seen {
  const { sequence, version, currentHighestBid, highestBidderId, status, minimumNextBid } = item
  const { title, winnerId } = item
  const head = { sequence, version, currentHighestBid, highestBidderId, status, minimumNextBid }
  return { ...head, title, winnerId, endMs: msOf(item.endAt) }
}

function msOf(time: Timestamp | undefined): bigint | undefined {
  return time && time.seconds * 1_000n + BigInt(time.nanos / 1e6)
}

/** A client: follows its stream, and complains of a gap or a step back. */
export class RecordingViewer {
  readonly userId: string
  readonly messages: WatchItemResponse[] = []
  /** Whoever sends takes care not to hear of what a viewer throws: tests look here. */
  readonly complaints: unknown[] = []
  seen: Seen | undefined
  frozen = false
  #stream: { viewer: Viewer; catchUp: () => void } | undefined

  constructor(userId: string) {
    this.userId = userId
  }

  /** For `hub.watchItem`: a new stream of the same client. */
  readonly open = (source: Source): Viewer => {
    let last = NOTHING_SEEN
    let missed = false
    const put = (burst: Burst): void => {
      last = burst.last
      for (const frame of burst.frames) {
        const message = frame.messageFor(this.userId)
        if (message.$typeName === 'live.v1.WatchItemResponse') this.#read(message)
      }
    }
    const viewer: Viewer = {
      userId: this.userId,
      units: 1,
      send: (burst) => {
        const news = burst.after(last)
        if (!news || this.#stream?.viewer !== viewer) return
        if (this.frozen) missed = true
        else if (!missed) put(news)
      },
      tick: () => {
        const clock = source.clock()
        if (clock.last === last && !this.frozen && this.#stream?.viewer === viewer) put(clock)
      },
      end: () => this.leave(),
    }
    const catchUp = (): void => {
      if (!missed) return
      missed = false
      viewer.send(source.latest())
    }
    this.#stream = { viewer, catchUp }
    return viewer
  }

  /** Hears nothing more. */
  leave(): void {
    this.#stream = undefined
  }

  thaw(): void {
    this.frozen = false
    this.#stream?.catchUp()
  }

  #read(message: WatchItemResponse): void {
    try {
      this.#follow(message)
    } catch (error) {
      this.complaints.push(error)
    }
  }

  #follow(message: WatchItemResponse): void {
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
      const price = { currentHighestBid: bid.amount, highestBidderId: bid.userId, minimumNextBid }
      return { ...at, ...price, endMs: msOf(endAt) }
    }
    case 'opened':
      return { ...at, status: ItemStatus.ACTIVE, endMs: msOf(event.value.endAt) }
    case 'endMoved':
      return { ...at, endMs: msOf(event.value.endAt) }
    case 'ended': {
      const { winnerId, endedAt } = event.value
      return { ...at, status: ItemStatus.ENDED, winnerId, endMs: msOf(endedAt) }
    }
    case 'cancelled':
      return { ...at, status: ItemStatus.CANCELLED }
    case 'snapshot':
    case 'chatMessage':
    case 'viewerCount':
    case 'clock':
    case undefined:
      break
  }
  return at
}
