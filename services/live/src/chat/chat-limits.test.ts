import { Code, ConnectError } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { createChatLimits, createMeter } from './chat-limits.ts'

function createWorld() {
  let nowMs = 1_000
  const take = createChatLimits(() => nowMs)
  const refusal = (itemId: string, userId: string): ConnectError | undefined => {
    try {
      take(itemId, userId)
    } catch (error) {
      return ConnectError.from(error)
    }
    return undefined
  }
  const taken = (count: number, itemId: string, userId: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => refusal(itemId, userId(index))).filter(
      (error) => error === undefined,
    ).length
  return { refusal, taken, pass: (ms: number) => (nowMs += ms) }
}

it('takes a few messages of a person at once, then one a second, and says when', () => {
  const { refusal, taken, pass } = createWorld()
  expect(taken(10, 'a', () => 'ann')).toBe(5)
  const refused = refusal('a', 'ann')
  expect(refused).toMatchObject({ code: Code.ResourceExhausted })
  expect(refused?.rawMessage).toMatch(/in 1 s$/)
  expect(refused?.metadata.get('retry-after')).toBe('1')
  expect([taken(1, 'a', () => 'bob'), taken(1, 'b', () => 'ann')]).toEqual([1, 1])
  pass(999)
  expect(taken(1, 'a', () => 'ann')).toBe(0)
  pass(1)
  expect(taken(2, 'a', () => 'ann')).toBe(1)
  pass(60_000)
  expect(taken(10, 'a', () => 'ann')).toBe(5)
})

it('takes of all together on one item what can be read', () => {
  const { taken, pass } = createWorld()
  let written = 0
  for (let ms = 0; ms < 10_000; ms += 10) {
    written += taken(10, 'a', (index) => `${ms} ${index}`)
    pass(10)
  }
  expect(written).toBeGreaterThanOrEqual(128)
  expect(written).toBeLessThanOrEqual(130)
  expect(taken(1, 'b', () => 'ann')).toBe(1)
})

it('keeps so many keys, and none for longer than it says something', () => {
  let nowMs = 0
  const meter = createMeter({ burst: 2, perSecond: 1 }, 2, () => nowMs)
  expect(['a', 'a', 'b', 'b'].map(meter)).toEqual([0, 0, 0, 0])
  expect(['a', 'b'].every((key) => meter(key) > 0)).toBe(true)
  // The least recently used one makes room, and starts anew.
  expect(['c', 'a'].map(meter)).toEqual([0, 0])
  nowMs = 60_000
  expect(['c', 'a', 'b'].map(meter)).toEqual([0, 0, 0])
})
