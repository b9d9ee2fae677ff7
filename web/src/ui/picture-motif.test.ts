import { describe, expect, it } from 'vitest'
import { madeUpPicture } from './picture-motif.ts'

describe('made up pictures', () => {
  it.each([
    ['cameras', 'camera'],
    ['Vintage Cameras', 'camera'],
    ['Wrist watches', 'clock'],
    ['cartoons', 'thing'],
    ['', 'thing'],
  ])('%j is shown as a %s', (category, motif) => {
    expect(madeUpPicture('x', category).motif).toBe(motif)
  })

  it('is the same for the same item and differs between items', () => {
    expect(madeUpPicture('Desk', 'furniture')).toEqual(madeUpPicture('Desk', 'furniture'))
    const many = Array.from({ length: 50 }, (_, index) => madeUpPicture(`Lot ${index}`, 'records'))
    expect(new Set(many.map(({ ground }) => ground)).size).toBeGreaterThan(5)
    expect(new Set(many.map(({ discs }) => JSON.stringify(discs))).size).toBe(50)
  })
})
