/**
 * Chat inside one process, for standalone: what Redis does for several, without outliving the process.
 * Listeners are told before `send` returns.
 */
import { type Chat, type ChatLine, compareLineIds, LINES_KEPT, requireLineId } from './chat.ts'

/** Lines of all items; those of the item that was least recently written go first. 100 MB at the worst. */
const LINES_MAX = 100_000

export function createMemoryChat({ onLine }: { onLine: (line: ChatLine) => void }): Chat {
  /** Oldest line first; items in the order of their latest lines. */
  const linesOf = new Map<string, ChatLine[]>()
  const followed = new Set<string>()
  let count = 0
  let last = { ms: 0, n: 0 }

  return {
    send: async ({ itemId, userId, text }) => {
      // A clock that is set back must not send ids back.
      const ms = Math.max(Date.now(), last.ms)
      last = { ms, n: ms === last.ms ? last.n + 1 : 0 }
      const line = { id: `${ms}-${last.n}`, itemId, userId, text, sentAtMs: ms }
      const lines = linesOf.get(itemId) ?? []
      count += 1
      lines.push(line)
      if (lines.length > LINES_KEPT) count -= lines.splice(0, 1).length
      linesOf.delete(itemId)
      linesOf.set(itemId, lines)
      for (const [oldest, { length }] of linesOf) {
        if (count <= LINES_MAX) break
        linesOf.delete(oldest)
        count -= length
      }
      if (followed.has(itemId)) onLine(line)
      return line
    },

    list: async (itemId, limit, beforeId) => {
      const lines = linesOf.get(itemId) ?? []
      const before = beforeId === undefined ? undefined : requireLineId(beforeId)
      const end = before
        ? lines.findLastIndex((line) => compareLineIds(requireLineId(line.id), before) < 0) + 1
        : lines.length
      return lines.slice(Math.max(0, end - limit), end).toReversed()
    },

    follow: (itemId) => void followed.add(itemId),
    unfollow: (itemId) => void followed.delete(itemId),
    close: async () => followed.clear(),
  }
}
