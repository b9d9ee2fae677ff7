/**
 * What viewers of an item say to each other. Two stores keep it: Redis for any number of replicas, the
 * process's own memory for standalone. The id of a message says when it was sent and where it belongs: within
 * an item ids rise, and whoever shows messages goes by them.
 */
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { TransientError } from '@bidmesh/platform/process/errors.ts'

/** Messages kept of an item: what somebody who comes late may still want to scroll through. */
export const MESSAGES_KEPT = 1_000
/** Life of an item's messages after the last one: long enough to settle a dispute about an ended item. */
export const MESSAGES_KEPT_MS = 7 * 24 * 3_600_000

export type ChatMessage = {
  /** `<ms>-<n>`, e.g. "1763717000123-0". */
  id: string
  itemId: string
  /** '' for nobody in particular. */
  userId: string
  text: string
  /** The time within the id: the store's clock. */
  sentAtMs: number
}

/** A message as the fields of a `ChatMessage`. */
export function chatMessage({ sentAtMs, ...fields }: ChatMessage) {
  return { ...fields, sentAt: timestampFromMs(sentAtMs) }
}

export type Chat = {
  /**
   * Stores a message and tells every replica's listener, this one's included. Rejects with
   * {@link ChatUnavailableError}; a message whose answer got lost may be stored all the same.
   */
  send: (message: { itemId: string; userId: string; text: string }) => Promise<ChatMessage>
  /**
   * Newest first, at most `limit`, older than `beforeId` (exclusive) when given. Rejects with
   * {@link ChatUnavailableError}, or RangeError when `beforeId` is not the id of a message.
   */
  list: (itemId: string, limit: number, beforeId?: string) => Promise<ChatMessage[]>
  /**
   * Messages of this item are delivered from now on, in order, each once; of those sent in the milliseconds
   * before, some may be too. Counting viewers is the caller's.
   */
  follow: (itemId: string) => void
  unfollow: (itemId: string) => void
  close: () => Promise<void>
}

/** The store of the chat is unavailable. Its message is fit for callers. */
export class ChatUnavailableError extends TransientError {
  override name = 'ChatUnavailableError'

  constructor(options?: ErrorOptions) {
    super('chat is unavailable for the moment: send it again shortly', options)
  }
}

export type MessageId = { ms: number; n: number }

/** Undefined for what is not the id of a message. */
export function parseMessageId(text: string): MessageId | undefined {
  const [, ms, n] = /^(\d{1,16})-(\d{1,16})$/.exec(text) ?? []
  if (ms === undefined || n === undefined) return undefined
  const id = { ms: Number(ms), n: Number(n) }
  return Number.isSafeInteger(id.ms) && Number.isSafeInteger(id.n) ? id : undefined
}

export const isMessageId = (text: string): boolean => parseMessageId(text) !== undefined

/** As {@link parseMessageId}, but throws RangeError. */
export function requireMessageId(text: string): MessageId {
  const id = parseMessageId(text)
  if (!id) throw new RangeError(`not the id of a chat message: ${text}`)
  return id
}

/** Negative when `a` was sent before `b`. */
export function compareMessageIds(a: MessageId, b: MessageId): number {
  return a.ms - b.ms || a.n - b.n
}
