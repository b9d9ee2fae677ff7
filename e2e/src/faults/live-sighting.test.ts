import { describe, expect, test } from 'vitest'
import {
  complaintAbout,
  readTold,
  type Sighting,
  sightingAfter,
  type Told,
} from './live-sighting.ts'

const seen: Sighting = { sequence: 7, version: 10, viewers: 3, bySnapshot: false }

function told(kind: Told['kind'], sequence: number, version: number): Told {
  return { kind, sequence, version, viewers: undefined }
}

describe('complaintAbout', () => {
  test.each([
    told('snapshot', 7, 10),
    told('snapshot', 9, 14),
    told('bidPlaced', 8, 11),
    told('endMoved', 7, 10),
    told('clock', 7, 10),
    told('viewerCount', 7, 10),
    told('chatMessage', 7, 10),
    told('opened', 7, 11),
    told('ended', 7, 11),
    told('cancelled', 7, 11),
  ])('nothing about $kind $sequence/$version after 7/10', (message) => {
    expect(complaintAbout(seen, message)).toBeUndefined()
  })

  test.each([
    [told('snapshot', 6, 10), 'a step back'],
    [told('snapshot', 7, 9), 'a step back'],
    [told('clock', 6, 9), 'a step back'],
    // Twice, one left out, and one left out that was no bid.
    [told('bidPlaced', 7, 10), 'a gap'],
    [told('bidPlaced', 9, 12), 'a gap'],
    [told('bidPlaced', 8, 12), 'a gap'],
    [told('clock', 8, 11), 'a gap'],
    [told('viewerCount', 7, 11), 'a gap'],
    [told('endMoved', 8, 11), 'a gap'],
    [told('ended', 7, 12), 'a gap'],
    [told('ended', 8, 11), 'a gap'],
  ])('%o after 7/10: %s', (message, complaint) => {
    expect(complaintAbout(seen, message)).toMatch(complaint)
  })

  test('a stream begins with a snapshot', () => {
    expect(complaintAbout(undefined, told('snapshot', 7, 10))).toBeUndefined()
    expect(complaintAbout(undefined, told('clock', 7, 10))).toBe('begins with clock')
  })
})

describe('readTold', () => {
  const head = { sequence: '7', version: '10', serverTime: '2026-01-01T00:00:00Z' }
  const read = (rest: object) => readTold(JSON.stringify({ ...head, ...rest }))

  test('reads what the checks look at', () => {
    const item = { sequence: '7', version: '10', title: 'Lamp' }
    expect(read({ snapshot: { item, viewerCount: '12' } })).toEqual({
      ...told('snapshot', 7, 10),
      viewers: 12,
    })
    expect(read({ bidPlaced: { bid: { sequence: '7' } } })).toEqual(told('bidPlaced', 7, 10))
    expect(read({ viewerCount: { viewers: '0' } })).toEqual({
      ...told('viewerCount', 7, 10),
      viewers: 0,
    })
    expect(read({ clock: {} })).toEqual(told('clock', 7, 10))
  })

  test('throws for what cannot be', () => {
    expect(() => read({})).toThrow('of no kind')
    expect(() => read({ bidPlaced: { bid: { sequence: '6' } } })).toThrow('contradicts itself')
    const item = { sequence: '7', version: '9' }
    expect(() => read({ snapshot: { item, viewerCount: '1' } })).toThrow('contradicts itself')
  })
})

test('sightingAfter: a snapshot stands until a bid comes by itself; counts stay until the next', () => {
  const snapshot = { ...told('snapshot', 9, 12), viewers: 5 }
  const anew = sightingAfter(seen, snapshot)
  expect(anew).toEqual({ sequence: 9, version: 12, viewers: 5, bySnapshot: true })
  const later = sightingAfter(anew, told('clock', 9, 12))
  expect(later).toEqual(anew)
  const next = sightingAfter(later, told('bidPlaced', 10, 13))
  expect(next).toEqual({ sequence: 10, version: 13, viewers: 5, bySnapshot: false })
})
