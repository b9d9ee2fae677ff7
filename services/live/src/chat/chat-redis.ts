/**
 * Chat for several replicas: one Redis stream per item, and one pub/sub channel on which each new message is
 * told to all replicas. A message is stored and published by one script, so the order of publishing is the
 * order of ids, and what a listener has missed is in the stream. Redis's clock makes the ids.
 */
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import { connectRedis, listenRedis, type Redis } from '@bidmesh/platform/redis/redis.ts'
import {
  type Chat,
  ChatUnavailableError,
  type ChatMessage,
  MESSAGES_KEPT,
  MESSAGES_KEPT_MS,
  parseMessageId,
  requireMessageId,
} from './chat.ts'
import { createMessageFollower, type MessageStore } from './chat-follow.ts'

export type RedisChatOptions = {
  redisUrl: string
  log: Log
  /** Put before every key and the channel, so that several systems or tests can share one Redis. */
  keyPrefix?: string
  /** Called for messages of followed items, in the order of their ids per item, each once. Must not throw. */
  onMessage: (message: ChatMessage) => void
}

export const chatKey = (itemId: string): string => `live:{${itemId}}:chat`

const SEND = `
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[1], '*', 'user', ARGV[4], 'text', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], cjson.encode({
  id = id, itemId = ARGV[6], userId = ARGV[4], text = ARGV[5]
}))
return id`

/** Connects in the background: until then, and whenever Redis is unavailable, `send` and `list` reject at once. */
export async function createRedisChat(options: RedisChatOptions): Promise<Chat> {
  const { redisUrl, log, keyPrefix = '', onMessage } = options
  const channel = `${keyPrefix}live:chat`
  const redis = await connectRedis(redisUrl, { log, keyPrefix })
  const follower = createMessageFollower(
    { ...messageStore(redis), settled: async () => await listener.settled() },
    onMessage,
  )
  const listener = await listenRedis(redisUrl, {
    log: log.child({ connection: 'chat listener' }),
    channel,
    onListening: follower.listening,
    onMessage: (text) => {
      const message = parseMessage(text)
      if (message) follower.receive(message)
      else log.warn({ channel }, 'dropped what is not a chat message')
    },
  })
  const awayUnless = awayUnlessAnswered(log)

  return {
    send: async ({ itemId, userId, text }) => {
      const limits = [MESSAGES_KEPT, MESSAGES_KEPT_MS]
      const id = await awayUnless(
        redis.eval(SEND, 1, chatKey(itemId), ...limits, channel, userId, text, itemId),
      )
      return chatMessageOf(itemId, String(id), userId, text)
    },

    list: async (itemId, limit, beforeId) => {
      const before = beforeId === undefined ? undefined : requireMessageId(beforeId)
      // Nothing is before the first of all ids, and Redis takes it for an error.
      if (limit < 1 || (before?.ms === 0 && before.n === 0)) return []
      const end = before ? `(${before.ms}-${before.n}` : '+'
      const entries = await awayUnless(redis.xrevrange(chatKey(itemId), end, '-', 'COUNT', limit))
      return entries.map((entry) => messageOfEntry(itemId, entry))
    },

    follow: follower.follow,
    unfollow: follower.unfollow,

    close: async () => {
      follower.close()
      listener.close()
      redis.disconnect()
    },
  }
}

function messageStore(redis: Redis): Omit<MessageStore, 'settled'> {
  return {
    readAfter: async (from, limit) => {
      const pipeline = redis.pipeline()
      for (const { itemId, after } of from) {
        pipeline.xrange(chatKey(itemId), `(${after.ms}-${after.n}`, '+', 'COUNT', limit)
      }
      const answers = await entriesOf(pipeline)
      return from.map(({ itemId }, index) =>
        (answers[index] ?? []).map((entry) => messageOfEntry(itemId, entry)),
      )
    },
    lastIds: async (itemIds) => {
      const pipeline = redis.pipeline()
      for (const itemId of itemIds) pipeline.xrevrange(chatKey(itemId), '+', '-', 'COUNT', 1)
      const answers = await entriesOf(pipeline)
      return answers.map(([last]) => (last ? requireMessageId(last[0]) : undefined))
    },
    nowMs: async () => {
      const [seconds, microseconds] = await redis.time()
      return Number(seconds) * 1_000 + Number(microseconds) / 1_000
    },
  }
}

type Entry = [id: string, fields: string[]]

/** Answers of a pipeline that asks for entries of streams and nothing else. */
async function entriesOf(pipeline: ReturnType<Redis['pipeline']>): Promise<Entry[][]> {
  const results = await pipeline.exec()
  return (results ?? []).map(([error, entries]) => {
    if (error) throw error
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ioredis does not type pipelines
    return entries as Entry[]
  })
}

function messageOfEntry(itemId: string, [id, fields]: Entry): ChatMessage {
  // In the order in which the script wrote them: user, its value, text, its value.
  const [, userId = '', , text = ''] = fields
  return chatMessageOf(itemId, id, userId, text)
}

function chatMessageOf(itemId: string, id: string, userId: string, text: string): ChatMessage {
  return { id, itemId, userId, text, sentAtMs: requireMessageId(id).ms }
}

/** Undefined for what the script of another version may have published. */
function parseMessage(message: string): ChatMessage | undefined {
  try {
    const told: unknown = JSON.parse(message)
    if (typeof told !== 'object' || told === null) return undefined
    const { id, itemId, userId, text } = told as Partial<Record<string, unknown>>
    if (typeof id !== 'string' || !parseMessageId(id) || typeof itemId !== 'string')
      return undefined
    if (typeof userId !== 'string' || typeof text !== 'string') return undefined
    return chatMessageOf(itemId, id, userId, text)
  } catch {
    return undefined
  }
}

/**
 * Makes ChatUnavailableError of whatever fails. That the connection is unavailable is in the log already; that Redis is
 * there and refuses (no memory, read only) is said here, once until it answers again.
 */
function awayUnlessAnswered(log: Log): <T>(work: Promise<T>) => Promise<T> {
  let saidRefused = false
  return async (work) => {
    try {
      const answer = await work
      saidRefused = false
      return answer
    } catch (error) {
      if (error instanceof Error && error.name === 'ReplyError' && !saidRefused) {
        saidRefused = true
        log.warn({ reason: messageOf(error) }, 'Redis refuses chat')
      }
      throw new ChatUnavailableError({ cause: error })
    }
  }
}
