/**
 * Who watches what: distinct viewers per item. A user counts once however many streams they have; of
 * viewers without a name each stream counts. Here is the counting within one process, which is all that
 * standalone needs; presence-redis.ts adds what other replicas have.
 */

/** Changes of a count within this time are told as one: a number on a screen need not be faster. */
export const GATHER_MS = 250

export type Presence = {
  /** A viewer came or went on this replica; '' for nobody in particular. Neither throws nor waits. */
  join: (itemId: string, userId: string) => void
  leave: (itemId: string, userId: string) => void
  /** Latest known over all replicas, and at least what this one has itself. */
  count: (itemId: string) => number
  /** For other replicas this one's viewers are gone at once, if that can be told; they are told nothing more. */
  close: () => Promise<void>
}

/**
 * Called when the count of an item with viewers on this replica has changed: not within `join` or `leave`,
 * and never with the same value twice in a row. Must not throw.
 */
export type OnCount = (itemId: string, count: number) => void

/** The viewers of one item in this process. */
export type Viewers = {
  /** Both return whether the count changed. */
  join: (userId: string) => boolean
  /** A viewer who never came does not go. */
  leave: (userId: string) => boolean
  count: () => number
  anonymous: () => number
  has: (userId: string) => boolean
  /** Named ones, each once. */
  userIds: () => Iterable<string>
}

export function createViewers(): Viewers {
  /** Streams of each named user. */
  const streamsOf = new Map<string, number>()
  let anonymous = 0
  return {
    join: (userId) => {
      if (userId === '') {
        anonymous += 1
        return true
      }
      const streams = streamsOf.get(userId) ?? 0
      streamsOf.set(userId, streams + 1)
      return streams === 0
    },
    leave: (userId) => {
      if (userId === '') {
        if (anonymous === 0) return false
        anonymous -= 1
        return true
      }
      const streams = streamsOf.get(userId) ?? 0
      if (streams > 1) streamsOf.set(userId, streams - 1)
      else return streamsOf.delete(userId)
      return false
    },
    count: () => anonymous + streamsOf.size,
    anonymous: () => anonymous,
    has: (userId) => streamsOf.has(userId),
    userIds: () => streamsOf.keys(),
  }
}

/** For a process without Redis: it counts its own. */
export function createLocalPresence({ onCount }: { onCount: OnCount }): Presence {
  const items = new Map<string, { viewers: Viewers; said?: number }>()
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined

  function tell(): void {
    timer = undefined
    const itemIds = [...changed]
    changed.clear()
    for (const itemId of itemIds) {
      const item = items.get(itemId)
      const count = item?.viewers.count() ?? 0
      if (count === 0) items.delete(itemId)
      if (!item || count === 0 || count === item.said) continue
      item.said = count
      onCount(itemId, count)
    }
  }

  function noteChange(itemId: string): void {
    changed.add(itemId)
    timer ??= setTimeout(tell, GATHER_MS).unref()
  }

  return {
    join: (itemId, userId) => {
      const item = items.get(itemId) ?? { viewers: createViewers() }
      items.set(itemId, item)
      if (item.viewers.join(userId)) noteChange(itemId)
    },
    leave: (itemId, userId) => {
      if (items.get(itemId)?.viewers.leave(userId)) noteChange(itemId)
    },
    count: (itemId) => items.get(itemId)?.viewers.count() ?? 0,
    close: async () => {
      clearTimeout(timer)
      timer = undefined
      changed.clear()
      items.clear()
    },
  }
}
