import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLocalPresence, createViewers, GATHER_MS } from './presence.ts'

test.each<[moves: string, count: number]>([
  ['', 0],
  ['+ann', 1],
  ['+ann +bob', 2],
  ['+ann +ann', 1],
  ['+ann +ann -ann', 1],
  ['+ann +ann -ann -ann', 0],
  ['+ann -ann +ann', 1],
  ['+ +', 2],
  ['+ + -', 1],
  ['+ann + -ann', 1],
  // Nobody goes who never came, and nobody is owed to those who come later.
  ['-ann', 0],
  ['-', 0],
  ['- +', 1],
  ['-ann +ann', 1],
  ['+ann -ann -ann +bob', 1],
])('viewers after "%s": %d', (moves, count) => {
  const viewers = createViewers()
  for (const move of moves.split(' ').filter((word) => word !== '')) {
    const before = viewers.count()
    const userId = move.slice(1)
    const hasChanged = move.startsWith('+') ? viewers.join(userId) : viewers.leave(userId)
    expect(hasChanged).toBe(viewers.count() !== before)
  }
  expect(viewers.count()).toBe(count)
  expect(viewers.anonymous() + [...viewers.userIds()].length).toBe(count)
})

test('viewers know who is there', () => {
  const viewers = createViewers()
  for (const userId of ['ann', 'bob', '', 'ann']) viewers.join(userId)
  viewers.leave('bob')
  expect([...viewers.userIds()]).toEqual(['ann'])
  expect([viewers.has('ann'), viewers.has('bob'), viewers.has('')]).toEqual([true, false, false])
})

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function startLocal() {
  const told: [itemId: string, count: number][] = []
  const presence = createLocalPresence({ onCount: (itemId, count) => told.push([itemId, count]) })
  return { presence, told }
}

test('changes are gathered, for all items with one timer', () => {
  const { presence, told } = startLocal()
  presence.join('a', 'ann')
  presence.join('b', '')
  vi.advanceTimersByTime(GATHER_MS - 1)
  presence.join('a', 'bob')
  expect(told).toEqual([])
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(1)
  expect(told).toEqual([
    ['a', 2],
    ['b', 1],
  ])
  expect(vi.getTimerCount()).toBe(0)
})

test('a count that is as it was is not told again', () => {
  const { presence, told } = startLocal()
  presence.join('a', 'ann')
  vi.advanceTimersByTime(GATHER_MS)
  presence.join('a', 'bob')
  presence.leave('a', 'bob')
  vi.advanceTimersByTime(GATHER_MS)
  expect(told).toEqual([['a', 1]])
})

test('an item nobody watches any more is forgotten, and told of anew when somebody comes', () => {
  const { presence, told } = startLocal()
  presence.join('a', 'ann')
  vi.advanceTimersByTime(GATHER_MS)
  presence.leave('a', 'ann')
  vi.advanceTimersByTime(GATHER_MS)
  expect(told).toEqual([['a', 1]])
  presence.join('a', 'ann')
  vi.advanceTimersByTime(GATHER_MS)
  expect(told).toEqual([
    ['a', 1],
    ['a', 1],
  ])
})

test('nothing is told after it was closed', async () => {
  const { presence, told } = startLocal()
  presence.join('a', 'ann')
  await presence.close()
  vi.advanceTimersByTime(GATHER_MS)
  expect(told).toEqual([])
  expect(presence.count('a')).toBe(0)
})
