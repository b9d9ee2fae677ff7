/** The moments that a real store gives only by chance: what happens while a read or a question is on its way. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { afterEach, expect, test } from 'vitest'
import { createMessageFollower, type MessageFollower, type MessageStore } from './chat-follow.ts'
import { type ChatMessage, compareMessageIds, parseMessageId, requireMessageId } from './chat.ts'

const itemId = 'item'
/** Where the store's clock stands while nobody moves it. */
const startMs = 1_000_000

const followers: MessageFollower[] = []
afterEach(() => {
  for (const follower of followers.splice(0)) follower.close()
})

/** A store of one item whose answers can be held up, and a follower that shows what it has. */
function start() {
  const messages: ChatMessage[] = []
  const shown: string[] = []
  const held: (() => void)[] = []
  const world = { hold: false, unavailable: false, nowMs: startMs, reads: 0 }
  const answer = async <T>(value: T): Promise<T> => {
    if (world.unavailable) throw new Error('unavailable')
    if (world.hold) await new Promise<void>((resolve) => held.push(resolve))
    return value
  }
  const store: MessageStore = {
    readAfter: async (from, limit) => {
      world.reads += 1
      const after = from[0]?.after ?? { ms: 0, n: 0 }
      const fresh = messages.filter(
        (message) => compareMessageIds(requireMessageId(message.id), after) > 0,
      )
      return await answer([fresh.slice(0, limit)])
    },
    lastIds: async () => await answer([parseMessageId(messages.at(-1)?.id ?? '')]),
    nowMs: async () => await answer(world.nowMs),
    settled: async () => await answer(undefined),
  }
  const follower = createMessageFollower(store, ({ id }) => shown.push(id))
  followers.push(follower)
  const write = (id: string): ChatMessage => {
    const message = { id, itemId, userId: '', text: '', sentAtMs: requireMessageId(id).ms }
    messages.push(message)
    return message
  }
  const announce = (id: string): void => follower.receive(write(id))
  const release = async (): Promise<void> => {
    await eventually(() => held.length > 0)
    world.hold = false
    for (const resolve of held.splice(0)) resolve()
  }
  const lose = (): void => follower.listening(false)
  const regain = (): void => follower.listening(true)
  return { world, messages, shown, follower, write, announce, release, lose, regain }
}

const at = (n: number): string => `${startMs}-${n}`

/** Until the follower has nothing more to ask: all that is answered at once has been. */
const idle = async (): Promise<void> => await nextTurn()

test('what is announced again, or late, is not shown', () => {
  const { follower, shown, announce, regain } = start()
  regain()
  follower.follow(itemId)
  announce('5-9')
  announce('5-10')
  announce('5-9')
  announce('5-10')
  announce('10-0')
  announce('9-99')
  expect(shown).toEqual(['5-9', '5-10', '10-0'])
})

test('the last message there was when following began is where a later read starts', async () => {
  const { follower, shown, write, lose, regain } = start()
  regain()
  // Within one millisecond: the clock alone could not tell them apart.
  write(at(0))
  follower.follow(itemId)
  await idle()
  lose()
  write(at(1))
  regain()
  await idle()
  expect(shown).toEqual([at(1)])
})

test('the answer comes after the subscription was lost: it says nothing of where to start', async () => {
  const { world, follower, shown, write, release, lose, regain } = start()
  regain()
  write(at(0))
  world.hold = true
  follower.follow(itemId)
  lose()
  await release()
  await idle()
  write(at(1))
  regain()
  await idle()
  // Early by the clock, so that nothing is left out.
  expect(shown).toEqual([at(0), at(1)])
})

test('followed while unavailable: messages since then, by the clock of the store', async () => {
  const { world, follower, shown, write, regain } = start()
  world.nowMs += 60_000
  // Long before, however slow this machine is.
  write(at(0))
  follower.follow(itemId)
  write(`${world.nowMs}-0`)
  regain()
  await idle()
  expect(shown).toEqual([`${startMs + 60_000}-0`])
})

test('what is announced during a read waits for it, and is read too', async () => {
  const { world, follower, shown, write, announce, release, lose, regain } = start()
  regain()
  follower.follow(itemId)
  announce(at(0))
  lose()
  write(at(1))
  world.hold = true
  regain()
  await idle()
  // The read has its answer already, without this one.
  announce(at(2))
  expect(shown).toEqual([at(0)])
  await release()
  await idle()
  announce(at(3))
  expect(shown).toEqual([at(0), at(1), at(2), at(3)])
})

test('a subscription lost and regained during a read has the item read again', async () => {
  const { world, follower, shown, write, announce, release, lose, regain } = start()
  regain()
  follower.follow(itemId)
  announce(at(0))
  lose()
  world.hold = true
  regain()
  await idle()
  lose()
  // Neither announced nor in the read that is on its way.
  write(at(1))
  regain()
  await release()
  await idle()
  expect(shown).toEqual([at(0), at(1)])
})

test('reads page by page', async () => {
  const { world, follower, shown, messages, write, announce, lose, regain } = start()
  regain()
  follower.follow(itemId)
  announce(at(0))
  lose()
  for (let n = 1; n <= 250; n += 1) write(at(n))
  regain()
  await idle()
  expect(shown).toEqual(messages.map(({ id }) => id))
  expect(world.reads).toBe(3)
})

test('tries again when the store is unavailable, and meanwhile shows nothing out of turn', async () => {
  const { world, follower, shown, write, announce, lose, regain } = start()
  regain()
  follower.follow(itemId)
  announce(at(0))
  lose()
  write(at(1))
  world.unavailable = true
  regain()
  await idle()
  announce(at(2))
  expect(shown).toEqual([at(0)])
  world.unavailable = false
  await eventually(() => shown.length === 3)
  expect(shown).toEqual([at(0), at(1), at(2)])
})

test('what is no longer followed is not shown by a read that was on its way', async () => {
  const { world, follower, shown, write, announce, release, lose, regain } = start()
  regain()
  follower.follow(itemId)
  announce(at(0))
  lose()
  write(at(1))
  world.hold = true
  regain()
  await idle()
  follower.unfollow(itemId)
  await release()
  await idle()
  announce(at(2))
  expect(shown).toEqual([at(0)])
})
