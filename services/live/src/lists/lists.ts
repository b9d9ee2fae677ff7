/** The lists being watched: one room for all who asked for the same, gone with the last of them. */
import type { ItemCreated } from '@bidmesh/gen/events/v1/events_pb.ts'
import { callerLeft } from '@bidmesh/platform/rpc/rpc-errors.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import { createGate } from '../streams/gate.ts'
import { UNITS_TO_ENTER } from '../feed/item-room.ts'
import { createListReader, type ListReaderOptions } from './list-reader.ts'
import { LIST_ITEMS_MAX, ListRoom } from './list-room.ts'
import { createShared } from '../feed/shared.ts'
import type { OpenViewer, Viewer } from '../streams/viewer.ts'

/** Places in lists, of all lists together, at 150 bytes each: 500 different lists of 500 items. */
const PLACES_MAX = 250_000
/** Lists that are read at the same time. A read of 500 items takes Postgres and this process 5 ms each. */
const READS_AT_ONCE = 2
/** Lists that wait to be read: what two at a time get done in the 5 s that a query may take. */
const READS_WAITING_MAX = 1_000

/** Which items: these, or without ids all open ones that match; '' matches any. */
export type ListFilter = { itemIds: readonly string[]; category: string; sellerId: string }

export type ListsOptions = ListReaderOptions & {
  findItems: (filter: ListFilter, limit: number) => Promise<string[]>
  now: () => number
}

export type Lists = {
  /** Lets a viewer in, with every item at least as new as the call. */
  enter: (
    open: OpenViewer,
    filter: ListFilter,
    signal?: AbortSignal,
  ) => Promise<{ viewer: Viewer; leave: () => void }>
  /** A new item may belong into lists. */
  created: (item: ItemCreated) => void
}

type Watched = {
  room: ListRoom
  filter: ListFilter
  /** Has all items, as Postgres has them after the call. */
  refresh: () => Promise<void>
  filled: boolean
  places: number
  users: number
}

export function createLists(options: ListsOptions): Lists {
  const { turns, release } = options
  const reader = createListReader(options)
  const lists = new Map<string, Watched>()
  const gate = createGate(READS_AT_ONCE, READS_WAITING_MAX)
  let places = 0

  function open(filter: ListFilter): Watched {
    const key = JSON.stringify([filter.itemIds.toSorted(), filter.category, filter.sellerId])
    const found = lists.get(key)
    if (found) return found
    const wanted = filter.itemIds.length || LIST_ITEMS_MAX
    if (places + wanted > PLACES_MAX) {
      const message = 'too many lists are watched on this server: try again shortly'
      throw new ConnectError(message, Code.ResourceExhausted)
    }
    places += wanted
    const room = new ListRoom({ now: options.now, turns, onRemoved: release })
    const refresh = createShared(() => gate(() => read(list)))
    const list: Watched = { room, filter, refresh, filled: false, places: wanted, users: 0 }
    lists.set(key, list)
    return list
  }

  async function read(list: Watched): Promise<void> {
    // All who asked may have left while it waited.
    if (list.users === 0) return
    if (list.filled) return await reader.bringUp(list.room.feeds())
    const { filter } = list
    const ids =
      filter.itemIds.length > 0 ? filter.itemIds : await options.findItems(filter, LIST_ITEMS_MAX)
    await reader.fill(list.room, [...new Set(ids)])
    list.filled = true
  }

  function leave(list: Watched): void {
    list.users -= 1
    if (list.users > 0) return
    for (const [key, each] of lists) if (each === list) lists.delete(key)
    places -= list.places
    list.room.close()
  }

  return {
    async enter(openViewer, filter, signal) {
      const list = open(filter)
      list.users += 1
      try {
        await unlessAborted(list.refresh(), signal)
        await turns.room(UNITS_TO_ENTER)
      } catch (error) {
        leave(list)
        throw error
      }
      const viewer = list.room.enter(openViewer)
      return {
        viewer,
        leave: () => {
          list.room.leave(viewer)
          leave(list)
        },
      }
    },
    created(item) {
      for (const { room, filter } of lists.values()) {
        if (!isFor(filter, item)) continue
        // Without Postgres the list does without it until the viewer comes again.
        reader.fill(room, [item.itemId]).catch(() => undefined)
      }
    },
  }
}

/** Lists that name their items get no new ones. */
function isFor({ itemIds, category, sellerId }: ListFilter, item: ItemCreated): boolean {
  if (itemIds.length > 0 || (category !== '' && category !== item.category)) return false
  return sellerId === '' || sellerId === item.sellerId
}

/** Rejects as soon as the caller has left: whoever waits behind is next. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return await work
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(callerLeft())
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
