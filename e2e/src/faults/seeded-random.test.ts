import { expect, test } from 'vitest'
import { seededRandom } from './seeded-random.ts'

const draws = (seed: number) => {
  const random = seededRandom(seed)
  return Array.from({ length: 200 }, () => random.between(3, 9))
}

test('a seed brings the same numbers back, another seed others', () => {
  expect(draws(7)).toEqual(draws(7))
  expect(draws(7)).not.toEqual(draws(8))
})

test('both ends of a range come, and nothing beyond', () => {
  expect(new Set(draws(1))).toEqual(new Set([3, 4, 5, 6, 7, 8, 9]))
})

test('every choice is picked; there must be one', () => {
  const random = seededRandom(1)
  const picked = Array.from({ length: 50 }, () => random.pick(['a', 'b']))
  expect(new Set(picked)).toEqual(new Set(['a', 'b']))
  expect(() => random.pick([])).toThrow('nothing to pick from')
})
