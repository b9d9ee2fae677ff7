/** One contract, two stores; then what only several replicas and a store that becomes unavailable can show. */
import { randomUUID } from 'node:crypto'
import { connectRedis } from '@bidmesh/platform/redis/redis.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { startTcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterAll, afterEach, describe, expect, inject, it } from 'vitest'
import { createMemoryChat } from './chat-memory.ts'
import { chatKey, createRedisChat } from './chat-redis.ts'
import {
  type Chat,
  ChatUnavailableError,
  type ChatMessage,
  MESSAGES_KEPT,
  MESSAGES_KEPT_MS,
} from './chat.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Messages live for days: what this file writes has a prefix of its own and goes at its end. */
const filePrefix = `test:${randomUUID()}:`
const newPrefix = (): string => `${filePrefix}${randomUUID()}:`

afterAll(async () => {
  const redis = await connectRedis(inject('redisUrl'), { log: quietLog })
  await eventually(() => redis.ping())
  for await (const keys of redis.scanStream({ match: `${filePrefix}*`, count: 1_000 })) {
    if (keys.length > 0) await redis.del(keys)
  }
  redis.disconnect()
})

type Replica = { chat: Chat; heard: ChatMessage[]; texts: () => string[] }

function replicaOf(chat: Chat, heard: ChatMessage[]): Replica {
  cleanups.push(() => chat.close())
  return { chat, heard, texts: () => heard.map(({ text }) => text) }
}

async function startMemory(): Promise<Replica> {
  const heard: ChatMessage[] = []
  return replicaOf(createMemoryChat({ onMessage: (message) => heard.push(message) }), heard)
}

/** Resolves without waiting for Redis. */
async function connectReplica(redisUrl: string, keyPrefix: string): Promise<Replica> {
  const heard: ChatMessage[] = []
  const onMessage = (message: ChatMessage): void => void heard.push(message)
  const chat = await createRedisChat({ redisUrl, log: quietLog, keyPrefix, onMessage })
  return replicaOf(chat, heard)
}

/** Waits until it sends and hears; by then it has heard all that was sent before. Leaves no trace. */
async function isUp({ chat, heard }: Replica): Promise<void> {
  const itemId = randomUUID()
  chat.follow(itemId)
  await eventually(() => chat.send({ itemId, userId: '', text: 'anybody here?' }))
  await eventually(() => heard.some((message) => message.itemId === itemId))
  chat.unfollow(itemId)
  heard.splice(0, heard.length, ...heard.filter((message) => message.itemId !== itemId))
}

async function startRedis(
  redisUrl = inject('redisUrl'),
  keyPrefix = newPrefix(),
): Promise<Replica> {
  const replica = await connectReplica(redisUrl, keyPrefix)
  await isUp(replica)
  return replica
}

const textsOf = (messages: readonly ChatMessage[]): string[] => messages.map(({ text }) => text)

describe.each([
  { store: 'memory', start: startMemory },
  { store: 'Redis', start: () => startRedis() },
])('chat in $store', ({ start }) => {
  it('delivers and lists what was sent, in order', async () => {
    const { chat, heard } = await start()
    const itemId = randomUUID()
    chat.follow(itemId)
    const startedAtMs = Date.now()
    const sent: ChatMessage[] = []
    for (const text of ['one', 'two', 'three']) {
      sent.push(await chat.send({ itemId, userId: 'ann', text }))
    }
    await eventually(() => heard.length === 3)
    expect(heard).toEqual(sent)
    expect(await chat.list(itemId, 10)).toEqual(sent.toReversed())
    for (const { id, sentAtMs, ...message } of sent) {
      expect(message).toEqual({ itemId, userId: 'ann', text: expect.any(String) })
      expect(id).toMatch(new RegExp(`^${sentAtMs}-\\d+$`))
      expect(Math.abs(sentAtMs - startedAtMs)).toBeLessThan(10_000)
    }
  })

  it(`keeps the last ${MESSAGES_KEPT} messages of an item`, async () => {
    const { chat, heard } = await start()
    const itemId = randomUUID()
    chat.follow(itemId)
    const texts = Array.from({ length: MESSAGES_KEPT + 5 }, (_, index) => `message ${index}`)
    for (let next = 0; next < texts.length; next += 100) {
      const some = texts.slice(next, next + 100)
      await Promise.all(some.map((text) => chat.send({ itemId, userId: '', text })))
    }
    await eventually(() => heard.length === texts.length)
    expect(textsOf(heard)).toEqual(texts)
    expect(textsOf(await chat.list(itemId, 2 * MESSAGES_KEPT))).toEqual(texts.slice(5).toReversed())
  })

  it('pages back from the id of a message', async () => {
    const { chat } = await start()
    const itemId = randomUUID()
    const sending = ['a', 'b', 'c', 'd', 'e'].map((text) => chat.send({ itemId, userId: '', text }))
    await Promise.all(sending)
    const pages: string[][] = []
    for (let page = await chat.list(itemId, 2); page.length > 0;) {
      pages.push(textsOf(page))
      page = await chat.list(itemId, 2, page.at(-1)?.id)
    }
    expect(pages).toEqual([['e', 'd'], ['c', 'b'], ['a']])
    // Ids need not be those of messages that are still kept.
    expect(textsOf(await chat.list(itemId, 1, '9000000000000000-0'))).toEqual(['e'])
    expect(await chat.list(itemId, 2, '0-0')).toEqual([])
    expect(await chat.list(itemId, 2, '0-1')).toEqual([])
    await expect(chat.list(itemId, 2, 'newest')).rejects.toThrow(RangeError)
    await expect(chat.list(itemId, 2, '-1-0')).rejects.toThrow(RangeError)
  })

  it('delivers followed items only, and not what was there before', async () => {
    const replica = await start()
    const { chat, heard, texts } = replica
    const [itemId, other] = [randomUUID(), randomUUID()]
    const say = (to: string, text: string) => chat.send({ itemId: to, userId: '', text })
    await say(itemId, 'before')
    await isUp(replica)
    chat.follow(itemId)
    await say(other, 'elsewhere')
    await say(itemId, 'followed')
    await eventually(() => heard.length === 1)
    chat.unfollow(itemId)
    await say(itemId, 'not followed')
    await isUp(replica)
    chat.follow(itemId)
    chat.follow(itemId)
    await say(itemId, 'followed again')
    await eventually(() => heard.length === 2)
    expect(texts()).toEqual(['followed', 'followed again'])
  })

  it('gives texts back as they are', async () => {
    const { chat, heard } = await start()
    const itemId = randomUUID()
    const userId = 'Zoë "the\\bidder"'
    chat.follow(itemId)
    const texts = [
      'two\nlines\r\nand\ttabs',
      '🎨👩‍👩‍👧‍👦 \u{10FFFF} ÿ Ω नमस्ते \u202Eright to left\u202C',
      '"quoted" \\ / {"json": null} \u2028\u2029 \uFEFF\u0000\u0001\u007F\uFFFD',
      'e\u0301 is not \u00E9',
    ]
    for (const text of texts) await chat.send({ itemId, userId, text })
    await eventually(() => heard.length === texts.length)
    const listed = await chat.list(itemId, 10)
    expect(textsOf(heard)).toEqual(texts)
    expect(textsOf(listed)).toEqual(texts.toReversed())
    expect(heard.every((message) => message.userId === userId)).toBe(true)
    expect(listed.every((message) => message.userId === userId)).toBe(true)
  })

  it('lists nothing of an item nobody wrote about', async () => {
    const { chat } = await start()
    expect(await chat.list(randomUUID(), 20)).toEqual([])
  })

  it('delivers nothing after it was closed', async () => {
    const { chat, heard } = await start()
    const itemId = randomUUID()
    chat.follow(itemId)
    await chat.close()
    await chat.send({ itemId, userId: '', text: 'late' }).catch(() => undefined)
    expect(heard).toEqual([])
  })
})

describe('chat over several replicas', () => {
  /** One replica whose network can be taken away, one that is left alone. */
  async function startTwo() {
    const proxy = await startTcpProxy(inject('redisUrl'))
    cleanups.push(proxy.close)
    const keyPrefix = newPrefix()
    const near = await startRedis(inject('redisUrl'), keyPrefix)
    const far = await startRedis(proxy.url, keyPrefix)
    const itemId = randomUUID()
    const say = async (...texts: string[]) => {
      for (const text of texts) await near.chat.send({ itemId, userId: 'near', text })
    }
    return { proxy, keyPrefix, near, far, itemId, say }
  }

  /** A message of a minute ago: the clock alone, with a busy machine's delays, can tell that it is old. */
  async function writeOld(keyPrefix: string, itemId: string): Promise<void> {
    const redis = await connectRedis(inject('redisUrl'), { log: quietLog, keyPrefix })
    cleanups.push(() => redis.disconnect())
    const id = `${Date.now() - 60_000}-0`
    await eventually(() => redis.xadd(chatKey(itemId), id, 'user', '', 'text', 'long before'))
  }

  const numbered = (count: number, name: string): string[] =>
    Array.from({ length: count }, (_, index) => `${name} ${index}`)

  it('shows each message on every replica that follows', async () => {
    const { near, far, itemId } = await startTwo()
    near.chat.follow(itemId)
    far.chat.follow(itemId)
    const texts = numbered(200, 'message')
    const sending = texts.map((text, index) =>
      (index % 2 === 0 ? near : far).chat.send({ itemId, userId: '', text }),
    )
    const sent = await Promise.all(sending)
    await eventually(() => near.heard.length === 200 && far.heard.length === 200)
    expect(far.heard).toEqual(near.heard)
    expect(new Set(near.texts())).toEqual(new Set(texts))
    expect(near.heard.toReversed()).toEqual(await far.chat.list(itemId, 1_000))
    expect(new Set(near.heard.map(({ id }) => id))).toEqual(new Set(sent.map(({ id }) => id)))
  })

  it('makes up for what was sent while the connection was unavailable', async () => {
    const { proxy, far, itemId, say } = await startTwo()
    await say('before it was followed')
    await isUp(far)
    far.chat.follow(itemId)
    await say('live')
    await eventually(() => far.heard.length === 1)
    await proxy.refuse()
    // More than one read brings.
    const missed = numbered(250, 'missed')
    await say(...missed)
    await proxy.listen()
    await say('at the moment of coming back')
    await eventually(() => far.heard.length >= 252)
    await say('live again')
    await eventually(() => far.texts().includes('live again'))
    expect(far.texts()).toEqual(['live', ...missed, 'at the moment of coming back', 'live again'])
  })

  it('makes up for messages of an item that had none since it was followed', async () => {
    const { proxy, far, itemId, keyPrefix, say } = await startTwo()
    await writeOld(keyPrefix, itemId)
    far.chat.follow(itemId)
    await isUp(far)
    await proxy.refuse()
    await say('first', 'second')
    await proxy.listen()
    await eventually(() => far.heard.length >= 2)
    expect(far.texts()).toEqual(['first', 'second'])
  })

  it('loses nothing when the connection breaks at the very moment of following', async () => {
    const { proxy, far, itemId, say } = await startTwo()
    far.chat.follow(itemId)
    await proxy.refuse()
    await say('first', 'second')
    await proxy.listen()
    await eventually(() => far.heard.length >= 2)
    expect(far.texts()).toEqual(['first', 'second'])
  })

  it('makes up for messages of items that are followed while the connection is unavailable', async () => {
    const { proxy, far, near, say, itemId, keyPrefix } = await startTwo()
    await proxy.refuse()
    await writeOld(keyPrefix, itemId)
    far.chat.follow(itemId)
    const others = numbered(60, 'other item')
    for (const other of others) far.chat.follow(other)
    await say('after')
    for (const other of others) await near.chat.send({ itemId: other, userId: '', text: other })
    await proxy.listen()
    await eventually(() => far.heard.length >= 61)
    expect(new Set(far.texts())).toEqual(new Set(['after', ...others]))
    expect(far.heard).toHaveLength(61)
  })

  it('keeps order and shows each message once while connections break under a stream of messages', async () => {
    const { proxy, far, near, itemId } = await startTwo()
    far.chat.follow(itemId)
    const texts = numbered(600, 'message')
    for (const [index, text] of texts.entries()) {
      if (index % 100 === 50) proxy.cut()
      await near.chat.send({ itemId, userId: '', text })
    }
    await eventually(() => far.heard.length >= texts.length)
    expect(far.texts()).toEqual(texts)
  })

  it('goes on after Redis lost its data', async () => {
    const { proxy, far, near, keyPrefix, itemId, say } = await startTwo()
    far.chat.follow(itemId)
    await say('before')
    await eventually(() => far.heard.length === 1)
    const redis = await connectRedis(inject('redisUrl'), { log: quietLog, keyPrefix })
    cleanups.push(() => redis.disconnect())
    await eventually(() => redis.del(chatKey(itemId)))
    expect(await near.chat.list(itemId, 10)).toEqual([])
    await say('after')
    await eventually(() => far.heard.length === 2)
    await proxy.refuse()
    await redis.del(chatKey(itemId))
    await say('while unavailable')
    await proxy.listen()
    await eventually(() => far.heard.length === 3)
    expect(far.texts()).toEqual(['before', 'after', 'while unavailable'])
  })

  it('says fast that it is unavailable, hanging or gone', async () => {
    const { proxy, far, itemId, say } = await startTwo()
    far.chat.follow(itemId)
    await say('kept')
    const failsFast = async () => {
      for (const work of [
        () => far.chat.send({ itemId, userId: '', text: 'lost' }),
        () => far.chat.list(itemId, 10),
      ]) {
        const startedAtMs = performance.now()
        await expect(work()).rejects.toThrow(ChatUnavailableError)
        expect(performance.now() - startedAtMs).toBeLessThan(1_000)
      }
    }
    await eventually(() => far.heard.length === 1)
    await proxy.refuse()
    await failsFast()
    await proxy.listen()
    await isUp(far)
    proxy.freeze()
    await failsFast()
    proxy.thaw()
    const listed = await eventually(() => far.chat.list(itemId, 10))
    expect(textsOf(listed)).toContain('kept')
  })

  it('starts while Redis is unavailable', async () => {
    const { proxy, keyPrefix, itemId, say } = await startTwo()
    await proxy.refuse()
    const late = await connectReplica(proxy.url, keyPrefix)
    late.chat.follow(itemId)
    await expect(late.chat.list(itemId, 10)).rejects.toThrow('chat is unavailable for the moment')
    await say('meanwhile')
    await proxy.listen()
    await eventually(() => late.heard.length === 1)
    expect(late.texts()).toEqual(['meanwhile'])
  })

  it('lets messages go after their time, counted from the last one', async () => {
    const { keyPrefix, itemId, say } = await startTwo()
    const redis = await connectRedis(inject('redisUrl'), { log: quietLog, keyPrefix })
    cleanups.push(() => redis.disconnect())
    await say('first')
    await eventually(() => redis.pexpire(chatKey(itemId), 5_000))
    await say('second')
    const leftMs = await redis.pttl(chatKey(itemId))
    expect(leftMs).toBeGreaterThan(MESSAGES_KEPT_MS - 10_000)
    expect(leftMs).toBeLessThanOrEqual(MESSAGES_KEPT_MS)
  })
})
