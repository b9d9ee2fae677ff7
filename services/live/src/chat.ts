/**
 * What viewers of an item say to each other. Two stores keep it: Redis for any number of replicas, the
 * process's own memory for standalone. The id of a line says when it was sent and where it belongs: within
 * an item ids rise, and whoever shows lines goes by them.
 */
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { TransientError } from '@bidmesh/platform/errors.ts'

/** Lines kept of an item: what somebody who comes late may still want to scroll through. */
export const LINES_KEPT = 1_000
/** Life of an item's lines after the last one: long enough to settle a dispute about an ended item. */
export const LINES_KEPT_MS = 7 * 24 * 3_600_000

export type ChatLine = {
  /** `<ms>-<n>`, e.g. "1763717000123-0". */
  id: string
  itemId: string
  /** '' for nobody in particular. */
  userId: string
  text: string
  /** The time within the id: the store's clock. */
  sentAtMs: number
}

/** A line as the fields of a `ChatMessage`. */
export function chatMessage({ sentAtMs, ...fields }: ChatLine) {
  return { ...fields, sentAt: timestampFromMs(sentAtMs) }
}

export type Chat = {
  /**
   * Stores a line and tells every replica's listener, this one's included. Rejects with
   * {@link ChatAwayError}; a line whose answer got lost may be stored all the same.
   */
  send: (line: { itemId: string; userId: string; text: string }) => Promise<ChatLine>
  /**
   * Newest first, at most `limit`, older than `beforeId` (exclusive) when given. Rejects with
   * {@link ChatAwayError}, or RangeError when `beforeId` is not the id of a line.
   */
  list: (itemId: string, limit: number, beforeId?: string) => Promise<ChatLine[]>
  /**
   * Lines of this item are delivered from now on, in order, each once; of those sent in the milliseconds
   * before, some may be too. Counting viewers is the caller's.
   */
  follow: (itemId: string) => void
  unfollow: (itemId: string) => void
  close: () => Promise<void>
}

/** The store of the chat is away. Its message is fit for callers. */
export class ChatAwayError extends TransientError {
  override name = 'ChatAwayError'

  constructor(options?: ErrorOptions) {
    super('chat is away for the moment: send it again shortly', options)
  }
}

export type LineId = { ms: number; n: number }

/** Undefined for what is not the id of a line. */
export function parseLineId(text: string): LineId | undefined {
  const [, ms, n] = /^(\d{1,16})-(\d{1,16})$/.exec(text) ?? []
  if (ms === undefined || n === undefined) return undefined
  const id = { ms: Number(ms), n: Number(n) }
  return Number.isSafeInteger(id.ms) && Number.isSafeInteger(id.n) ? id : undefined
}

export const isLineId = (text: string): boolean => parseLineId(text) !== undefined

/** As {@link parseLineId}, but throws RangeError. */
export function requireLineId(text: string): LineId {
  const id = parseLineId(text)
  if (!id) throw new RangeError(`not the id of a chat line: ${text}`)
  return id
}

/** Negative when `a` was sent before `b`. */
export function compareLineIds(a: LineId, b: LineId): number {
  return a.ms - b.ms || a.n - b.n
}
