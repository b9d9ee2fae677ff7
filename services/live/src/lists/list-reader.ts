/**
 * Brings the items of a list to where Postgres is. Only what has changed is read as a whole: descriptions are
 * long, and lists do not show them.
 */
import type { ItemFeed } from '../feed/item-feed.ts'
import type { ItemRoom } from '../feed/item-room.ts'
import type { ListRoom } from './list-room.ts'
import type { Turns } from '../feed/turns.ts'

/** Of work for what is asked and answered about one item. */
const UNITS_PER_ITEM = 1 / 10

export type ListReaderOptions = {
  readVersions: (ids: string[]) => Promise<readonly { id: string; version: bigint }[]>
  turns: Turns
  /** The room of an item, in use until released. */
  use: (itemId: string) => ItemRoom
  release: (itemId: string) => void
}

export type ListReader = {
  /** Puts items into a list, as far as they exist and there is space for them. */
  fill: (list: ListRoom, itemIds: readonly string[]) => Promise<void>
  /** Each is where Postgres was at the call, or further. */
  bringUp: (feeds: readonly ItemFeed[]) => Promise<void>
}

export function createListReader({
  readVersions,
  turns,
  use,
  release,
}: ListReaderOptions): ListReader {
  async function bringUp(all: readonly ItemFeed[]): Promise<void> {
    await turns.room(all.length * UNITS_PER_ITEM)
    const known = new Map(all.flatMap((feed) => (feed.item ? [[feed.item.id, feed]] : [])))
    const unknown = all.filter(({ item }) => !item)
    await Promise.all([readChanged(known), ...unknown.map((feed) => feed.fresh())])
  }

  async function readChanged(feeds: ReadonlyMap<string, ItemFeed>): Promise<void> {
    if (feeds.size === 0) return
    const versions = await readVersions([...feeds.keys()])
    const behind = versions.flatMap(({ id, version }) => {
      const feed = feeds.get(id)
      return feed?.item && feed.item.version < version ? [feed.fresh()] : []
    })
    await Promise.all(behind)
  }

  return {
    bringUp,
    async fill(list, itemIds) {
      const used: [string, ItemRoom][] = []
      try {
        for (const itemId of itemIds) used.push([itemId, use(itemId)])
        await bringUp(used.map(([, room]) => room.feed))
        for (const [itemId, room] of used.splice(0)) {
          if (!room.feed.item || !list.add(itemId, room)) release(itemId)
        }
      } finally {
        for (const [itemId] of used) release(itemId)
      }
    },
  }
}
