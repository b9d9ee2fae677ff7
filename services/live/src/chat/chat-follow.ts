/**
 * Which messages this process has shown. Messages come as announcements, in order, as long as the subscription
 * stands; after it was lost, followed items are behind and are read from the store until nothing was
 * announced during a read. What is announced of an item that is behind is therefore not shown but read,
 * and messages are shown in the order of their ids, each once, none left out that the store still has.
 *
 *   followed while subscribed → current ──subscription lost and back──→ behind ──read──→ current
 *   followed while not        → behind
 *
 * A read starts after the last message shown. Where none was yet, it starts at the moment of following: the
 * last message there was then, or, when the subscription broke before that was known, that moment by the
 * store's clock, which may repeat a message of the milliseconds before and leaves none out.
 */
import { type ChatMessage, compareMessageIds, type MessageId, requireMessageId } from './chat.ts'

/** Messages of one item in one read: 200 kB at most, within the 200 ms a command may take. */
const MESSAGES_PER_READ = 100
/** Items in one round trip. */
const ITEMS_PER_READ = 20
/** Between attempts while the store is unavailable although its announcements come. */
const RETRY_MS = 250

/** Each rejects when the store is unavailable. */
export type MessageStore = {
  /** Up to `limit` messages each, oldest first, after `after` (exclusive). */
  readAfter: (
    from: readonly { itemId: string; after: MessageId }[],
    limit: number,
  ) => Promise<ChatMessage[][]>
  /** The last message's id of each. */
  lastIds: (itemIds: readonly string[]) => Promise<(MessageId | undefined)[]>
  /** The clock that ids are made of. */
  nowMs: () => Promise<number>
  /** Resolves when all that was announced before the call has come. */
  settled: () => Promise<void>
}

export type MessageFollower = {
  follow: (itemId: string) => void
  unfollow: (itemId: string) => void
  /** A message was announced. */
  receive: (message: ChatMessage) => void
  /** The subscription stands (again), or is lost. */
  listening: (now: boolean) => void
  close: () => void
}

type Followed = {
  itemId: string
  atMs: number
  /** Which subscription stood when it was followed. */
  epoch: number
  /** Nothing up to here is to be shown (any more); undefined when not known yet. */
  after?: MessageId
  /** Something was announced while the item was behind. */
  heard: boolean
}

type Following = {
  store: MessageStore
  onMessage: (message: ChatMessage) => void
  followed: Map<string, Followed>
  behind: Set<Followed>
  /** Followed while subscribed, and where they start is still to be asked. */
  unlearned: Set<Followed>
  /** Counts subscriptions. */
  epoch: number
  listening: boolean
  catchingUp: boolean
  learning: boolean
  retry?: NodeJS.Timeout
}

/** @param onMessage called for each message to be shown; must not throw */
export function createMessageFollower(
  store: MessageStore,
  onMessage: (message: ChatMessage) => void,
): MessageFollower {
  const following: Following = {
    store,
    onMessage,
    followed: new Map(),
    behind: new Set(),
    unlearned: new Set(),
    epoch: 0,
    listening: false,
    catchingUp: false,
    learning: false,
  }
  const { followed, behind, unlearned } = following

  function forget(itemId: string): void {
    const item = followed.get(itemId)
    if (!item) return
    followed.delete(itemId)
    behind.delete(item)
    unlearned.delete(item)
  }

  return {
    follow: (itemId) => {
      if (followed.has(itemId)) return
      const { epoch, listening } = following
      const item = { itemId, atMs: performance.now(), epoch, heard: false }
      followed.set(itemId, item)
      if (!listening) return
      unlearned.add(item)
      // Best effort: without it the clock tells where to start.
      learn(following).catch(() => undefined)
    },
    unfollow: forget,
    receive: (message) => {
      const item = followed.get(message.itemId)
      if (!item) return
      if (following.listening && !behind.has(item)) show(following, item, message)
      else item.heard = true
    },
    listening: (now) => {
      following.listening = now
      if (!now) return
      following.epoch += 1
      for (const item of followed.values()) behind.add(item)
      tryCatchUp(following)
    },
    close: () => {
      following.listening = false
      clearTimeout(following.retry)
      for (const itemId of followed.keys()) forget(itemId)
    },
  }
}

function show({ followed, onMessage }: Following, item: Followed, message: ChatMessage): void {
  if (followed.get(item.itemId) !== item) return
  const id = requireMessageId(message.id)
  if (item.after && compareMessageIds(id, item.after) <= 0) return
  item.after = id
  onMessage(message)
}

function tryCatchUp(following: Following): void {
  clearTimeout(following.retry)
  catchUp(following).catch(() => {
    following.retry = setTimeout(() => tryCatchUp(following), RETRY_MS).unref()
  })
}

/** The next call finds either the loop still running or its flag taken back: nothing falls between. */
async function catchUp(following: Following): Promise<void> {
  if (following.catchingUp) return
  following.catchingUp = true
  try {
    while (following.listening && following.behind.size > 0) await readSome(following)
  } finally {
    following.catchingUp = false
  }
}

async function readSome(following: Following): Promise<void> {
  const { store, behind } = following
  const items = behind.values().take(ITEMS_PER_READ).toArray()
  await learnStarts(items, store)
  const startedIn = following.epoch
  for (const item of items) item.heard = false
  const pages = await store.readAfter(items.map(startOf), MESSAGES_PER_READ)
  for (const [index, item] of items.entries()) {
    const messages = pages[index] ?? []
    for (const message of messages) show(following, item, message)
    const done = messages.length < MESSAGES_PER_READ && !item.heard
    // A subscription that began meanwhile may have missed what came after this read.
    if (done && startedIn === following.epoch) behind.delete(item)
  }
}

async function learn(following: Following): Promise<void> {
  if (following.learning) return
  following.learning = true
  try {
    while (following.unlearned.size > 0) await learnSome(following)
  } finally {
    following.learning = false
  }
}

/** Learns the last message there was, where the subscription has stood since the item was followed. */
async function learnSome(following: Following): Promise<void> {
  const { store, unlearned } = following
  const items = unlearned.values().take(ITEMS_PER_READ).toArray()
  for (const item of items) unlearned.delete(item)
  const ids = await store.lastIds(items.map(({ itemId }) => itemId))
  await store.settled()
  // Of the messages up to these ids, those sent since following were announced, and have been shown.
  for (const [index, item] of items.entries()) {
    const stood = following.listening && item.epoch === following.epoch
    if (stood) item.after ??= ids[index] ?? { ms: 0, n: 0 }
  }
}

/** Reckons the store's time at the moment of following, for items whose start is not known. */
async function learnStarts(items: readonly Followed[], store: MessageStore): Promise<void> {
  if (items.every(({ after }) => after)) return
  const storeMs = await store.nowMs()
  // The store looked at its clock before this moment: the start is early by the way back, never late.
  const askedMs = performance.now()
  for (const item of items) {
    const ms = Math.floor(storeMs - (askedMs - item.atMs))
    item.after ??= { ms: Math.max(0, ms - 1), n: Number.MAX_SAFE_INTEGER }
  }
}

function startOf({ itemId, after }: Followed): { itemId: string; after: MessageId } {
  return { itemId, after: after ?? { ms: 0, n: 0 } }
}
