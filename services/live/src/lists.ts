/** The lists being watched: one room for all who asked for the same, gone with the last of them. */
import type { ItemCreated } from '@bidmesh/gen/events/v1/events_pb.ts'
import type { ItemRoom } from './item-room.ts'
import { LIST_ITEMS_MAX, ListRoom } from './list-room.ts'
import type { OpenViewer, Viewer } from './viewer.ts'

/** Which items: these, or without ids all open ones that match; '' matches any. */
export type ListFilter = { itemIds: readonly string[]; category: string; sellerId: string }

export type ListsOptions = {
  findItems: (filter: ListFilter, limit: number) => Promise<string[]>
  now: () => number
  /** The room of an item, in use until released. */
  use: (itemId: string) => ItemRoom
  release: (itemId: string) => void
}

export type Lists = {
  /** Lets a viewer in, with every item at least as new as the call. */
  enter: (open: OpenViewer, filter: ListFilter) => Promise<{ viewer: Viewer; leave: () => void }>
  /** A new item may belong into lists. */
  created: (item: ItemCreated) => void
}

type Watched = { room: ListRoom; filter: ListFilter; filled: Promise<void>; users: number }

export function createLists({ findItems, now, use, release }: ListsOptions): Lists {
  const lists = new Map<string, Watched>()

  function open(filter: ListFilter): Watched {
    const key = JSON.stringify([filter.itemIds.toSorted(), filter.category, filter.sellerId])
    const found = lists.get(key)
    if (found) return found
    const room = new ListRoom({ now, onRemoved: release })
    const list = { room, filter, filled: fill(room, filter), users: 0 }
    // Heard by those who wait for it.
    list.filled.catch(() => undefined)
    lists.set(key, list)
    return list
  }

  async function fill(room: ListRoom, filter: ListFilter): Promise<void> {
    const ids = filter.itemIds.length > 0 ? filter.itemIds : await findItems(filter, LIST_ITEMS_MAX)
    await Promise.all([...new Set(ids)].map((id) => add(room, id)))
  }

  async function add(list: ListRoom, itemId: string): Promise<void> {
    const room = use(itemId)
    let added = false
    try {
      added = (await room.feed.fresh()) !== undefined && list.add(itemId, room)
    } finally {
      if (!added) release(itemId)
    }
  }

  function leave(list: Watched): void {
    list.users -= 1
    if (list.users > 0) return
    for (const [key, each] of lists) if (each === list) lists.delete(key)
    list.room.close()
  }

  return {
    async enter(openViewer, filter) {
      const list = open(filter)
      list.users += 1
      try {
        await list.filled
        await Promise.all(list.room.feeds().map((feed) => feed.fresh()))
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
        if (filter.itemIds.length > 0) continue
        if (filter.category !== '' && filter.category !== item.category) continue
        if (filter.sellerId !== '' && filter.sellerId !== item.sellerId) continue
        // Without Postgres the list does without it until the viewer comes again.
        add(room, item.itemId).catch(() => undefined)
      }
    },
  }
}
