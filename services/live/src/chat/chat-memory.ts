/**
 * Chat inside one process, for standalone: what Redis does for several, without outliving the process.
 * Listeners are told before `send` returns.
 */
import {
  type Chat,
  type ChatMessage,
  compareMessageIds,
  MESSAGES_KEPT,
  requireMessageId,
} from './chat.ts'

/** Messages of all items; those of the item that was least recently written go first. 100 MB at the worst. */
const MESSAGES_MAX = 100_000

export function createMemoryChat({
  onMessage,
}: {
  onMessage: (message: ChatMessage) => void
}): Chat {
  /** Oldest message first; items in the order of their latest messages. */
  const messagesOf = new Map<string, ChatMessage[]>()
  const followed = new Set<string>()
  let count = 0
  let last = { ms: 0, n: 0 }

  return {
    send: async ({ itemId, userId, text }) => {
      // A clock that is set back must not send ids back.
      const ms = Math.max(Date.now(), last.ms)
      last = { ms, n: ms === last.ms ? last.n + 1 : 0 }
      const message = { id: `${ms}-${last.n}`, itemId, userId, text, sentAtMs: ms }
      const messages = messagesOf.get(itemId) ?? []
      count += 1
      messages.push(message)
      if (messages.length > MESSAGES_KEPT) count -= messages.splice(0, 1).length
      messagesOf.delete(itemId)
      messagesOf.set(itemId, messages)
      for (const [oldest, { length }] of messagesOf) {
        if (count <= MESSAGES_MAX) break
        messagesOf.delete(oldest)
        count -= length
      }
      if (followed.has(itemId)) onMessage(message)
      return message
    },

    list: async (itemId, limit, beforeId) => {
      const messages = messagesOf.get(itemId) ?? []
      const before = beforeId === undefined ? undefined : requireMessageId(beforeId)
      const end = before
        ? messages.findLastIndex(
            (message) => compareMessageIds(requireMessageId(message.id), before) < 0,
          ) + 1
        : messages.length
      return messages.slice(Math.max(0, end - limit), end).toReversed()
    },

    follow: (itemId) => void followed.add(itemId),
    unfollow: (itemId) => void followed.delete(itemId),
    close: async () => followed.clear(),
  }
}
