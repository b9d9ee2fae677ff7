import { expect, test } from 'vitest'
import { matchesTopic } from './match-topic.ts'

test.each([
  ['bid.placed', 'bid.placed', true],
  ['bid.placed', 'bid.withdrawn', false],
  ['bid.*', 'bid.placed', true],
  ['*.placed', 'bid.placed', true],
  ['*', 'bid.placed', false],
  ['bid.*', 'bid', false],
  ['bid.*', 'bid.placed.late', false],
  ['#', 'bid.placed', true],
  ['bid.#', 'bid', true],
  ['bid.#', 'bid.placed.late', true],
  ['#.late', 'bid.placed.late', true],
  ['#.late', 'bid.placed', false],
  ['bid.#.late', 'bid.late', true],
])('%s bound, %s published: %s', (pattern, type, matches) => {
  expect(matchesTopic(pattern, type)).toBe(matches)
})
