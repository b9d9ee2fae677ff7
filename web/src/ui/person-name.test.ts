import { expect, it } from 'vitest'
import { isYou, nameOf } from './person-name.ts'

it('whoever is not named is nobody in particular, and not you', () => {
  expect(isYou('ann', 'ann')).toBe(true)
  expect(isYou('ann', 'ben')).toBe(false)
  expect(isYou('', '')).toBe(false)
  expect([nameOf('ann'), nameOf(''), nameOf('', 'Somebody')]).toEqual([
    'ann',
    'A bidder',
    'Somebody',
  ])
})
