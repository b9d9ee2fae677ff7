/**
 * All that is being watched on this process: finds the room of an item or of a list, lets viewers in and out,
 * hands events to rooms, and keeps an eye on what events do not tell: versions in Postgres that a feed has
 * not reached, rooms nobody is in any more, viewers that take nothing.
 */
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import type { ChatMessage } from '../chat/chat.ts'
import { type ClockWheel, createClockWheel } from '../streams/clock-wheel.ts'
import type { ItemEvent } from '@bidmesh/events/decode-event.ts'
import { createItemReader, type ItemReader } from './item-reader.ts'
import { ItemRoom } from './item-room.ts'
import { createLists, type ListFilter, type Lists } from '../lists/lists.ts'
import { createTurns, type Turns } from './turns.ts'
import type { OpenViewer, Viewer } from '../streams/viewer.ts'

/** A room outlives its last viewer for this long, so that who comes back finds what they missed. */
const LINGER_MS = 30_000
/** Rooms in use: two per viewer that the process may have, or the items of a hundred full lists. */
const ROOMS_MAX = 50_000
/** Ids in one question for versions. */
const RECONCILE_BATCH = 1_000

export type HubOptions = {
  /** The items with these ids. */
  readItems: (ids: string[]) => Promise<Item[]>
  /** Ids of open items that match, those that end soonest first. */
  findItems: (filter: ListFilter, limit: number) => Promise<string[]>
  /** Versions of these items now. */
  readVersions: (ids: string[]) => Promise<{ id: string; version: bigint }[]>
  now: () => number
  /** Most viewers at once. */
  viewersMax: number
  /** A room has opened or closed; a viewer has come to an item or left it. */
  onOpened: (itemId: string) => void
  onClosed: (itemId: string) => void
  onJoined: (itemId: string, userId: string) => void
  onLeft: (itemId: string, userId: string) => void
  onSent?: (viewers: number, messages: number, occurredAtMs: number | undefined) => void
  /** Tests pass their own. */
  sleep?: (ms: number) => Promise<void>
  turns?: Turns
}

/** Ends a viewer's stay; may be called twice. */
export type Leave = () => void

type Occupied = { room: ItemRoom; users: number; idleSinceMs: number }

export class Hub {
  readonly viewers: ClockWheel = createClockWheel()
  /** All work for viewers shares them. */
  readonly turns: Turns
  readonly #options: HubOptions
  readonly #reader: ItemReader
  readonly #lists: Lists
  readonly #rooms = new Map<string, Occupied>()
  /** Rooms with chat, or another number of viewers, to be told. */
  readonly #stirred = new Set<ItemRoom>()
  /** Viewers who are being let in. */
  #entering = 0
  #draining: ConnectError | undefined

  constructor(options: HubOptions) {
    this.#options = options
    this.turns = options.turns ?? createTurns()
    this.#reader = createItemReader(options.readItems)
    this.#lists = createLists({
      findItems: options.findItems,
      readVersions: options.readVersions,
      now: options.now,
      turns: this.turns,
      use: (itemId) => this.#use(itemId),
      release: (itemId) => this.#release(itemId),
    })
  }

  get roomCount(): number {
    return this.#rooms.size
  }

  /** Applies a batch of events and sends what came of it. Never throws for what an event says. */
  receive(events: readonly ItemEvent[]): void {
    const touched = new Set<ItemRoom>()
    for (const event of events) {
      const found = this.#rooms.get(event.message.itemId)
      if (found) {
        found.room.receive(event)
        touched.add(found.room)
      }
      if (event.type === 'item.created') this.#lists.created(event.message)
    }
    for (const room of touched) room.flush()
  }

  /** Lets a viewer of one item in. Rejects with the errors of `WatchItem`. */
  async watchItem(open: OpenViewer, itemId: string, afterSequence?: bigint): Promise<Leave> {
    const viewer = await this.#admit(async () => {
      const entering = this.#use(itemId).enter(open, afterSequence)
      entering.catch(() => this.#release(itemId))
      return await entering
    })
    const room = this.#rooms.get(itemId)?.room
    this.#options.onJoined(itemId, viewer.userId)
    return once(() => {
      room?.leave(viewer)
      this.viewers.remove(viewer)
      this.#release(itemId)
      this.#options.onLeft(itemId, viewer.userId)
    })
  }

  /** Lets a viewer of a list in; the signal aborts when the caller leaves before that. */
  async watchItems(open: OpenViewer, filter: ListFilter, signal?: AbortSignal): Promise<Leave> {
    let leave: Leave | undefined
    const viewer = await this.#admit(async () => {
      const entered = await this.#lists.enter(open, filter, signal)
      leave = entered.leave
      return entered.viewer
    })
    return once(() => {
      this.viewers.remove(viewer)
      leave?.()
    })
  }

  say(message: ChatMessage): void {
    const found = this.#rooms.get(message.itemId)
    if (!found) return
    found.room.say(message)
    this.#stirred.add(found.room)
  }

  setViewerCount(itemId: string, count: number): void {
    const found = this.#rooms.get(itemId)
    if (!found) return
    found.room.setViewerCount(count)
    this.#stirred.add(found.room)
  }

  /** Call every `SLOT_INTERVAL_MS`. */
  turn(nowMs: number): void {
    const unitsOf = ({ units }: Viewer) => units
    this.turns.forEach(this.viewers.turn(), unitsOf, (viewer) => viewer.tick(nowMs))
    for (const room of this.#stirred) if (room.sendCompany()) this.#stirred.delete(room)
  }

  /** Compares every watched item with Postgres; call every second. */
  async reconcile(): Promise<void> {
    const ids = [...this.#rooms.keys()]
    // Also without any: the same query tells the time.
    for (let start = 0; start === 0 || start < ids.length; start += RECONCILE_BATCH) {
      const versions = await this.#options.readVersions(ids.slice(start, start + RECONCILE_BATCH))
      for (const { id, version } of versions) this.#rooms.get(id)?.room.feed.notice(version)
    }
  }

  /** Ends all streams with the reason, and those that are still asked for. */
  drain(reason: ConnectError): void {
    this.#draining = reason
    const unitsOf = ({ units }: Viewer) => units
    this.turns.forEach(this.viewers.viewers(), unitsOf, (viewer) => viewer.end(reason))
  }

  /** Closes rooms that nobody has used for a while; call now and then. */
  sweep(nowMs: number): void {
    for (const [itemId, { users, idleSinceMs }] of this.#rooms) {
      if (users === 0 && nowMs - idleSinceMs > LINGER_MS) this.#close(itemId)
    }
  }

  /** The room, kept at least until it is released again. */
  #use(itemId: string): ItemRoom {
    const found = this.#rooms.get(itemId) ?? this.#open(itemId)
    found.users += 1
    return found.room
  }

  #open(itemId: string): Occupied {
    if (this.#rooms.size >= ROOMS_MAX) throw tooMany('too many items are watched on this server')
    const { now, onSent, sleep } = this.#options
    const room = new ItemRoom({
      read: () => this.#reader.read(itemId),
      now,
      turns: this.turns,
      ...(onSent && { onSent }),
      ...(sleep && { sleep }),
    })
    const opened = { room, users: 0, idleSinceMs: 0 }
    this.#rooms.set(itemId, opened)
    this.#options.onOpened(itemId)
    return opened
  }

  #release(itemId: string): void {
    const found = this.#rooms.get(itemId)
    if (!found) return
    found.users -= 1
    found.idleSinceMs = this.#options.now()
    // Nothing was ever read here: no such item, or Postgres is unavailable.
    if (found.users === 0 && !found.room.feed.item) this.#close(itemId)
  }

  #close(itemId: string): void {
    this.#rooms.delete(itemId)
    this.#options.onClosed(itemId)
  }

  async #admit(enter: () => Promise<Viewer>): Promise<Viewer> {
    if (this.#draining) throw this.#draining
    if (this.viewers.size() + this.#entering >= this.#options.viewersMax) {
      throw tooMany('too many viewers are on this server: try again shortly')
    }
    this.#entering += 1
    try {
      const viewer = await enter()
      this.viewers.add(viewer)
      if (this.#draining) viewer.end(this.#draining)
      return viewer
    } finally {
      this.#entering -= 1
    }
  }
}

function tooMany(message: string): ConnectError {
  return new ConnectError(message, Code.ResourceExhausted)
}

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    action()
  }
}
