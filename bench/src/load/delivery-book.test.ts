import { describe, expect, it } from 'vitest'
import { createDeliveryBook } from './delivery-book.ts'
import type { StreamMessage } from './stream-decoder.ts'

function bid(sequence: number): StreamMessage {
  return { kind: 'bid', sequence, decidedMs: sequence * 1_000 }
}
const snapshot = (sequence: number): StreamMessage => ({ kind: 'snapshot', sequence })

it('says when the last viewer had a bid, by its own clock', () => {
  let nowMs = 5_000
  const book = createDeliveryBook(() => nowMs)
  const pages = ['a', 'b', 'c'].map(book.open)
  for (const page of pages) page.take(snapshot(4))
  for (const page of pages) {
    nowMs += 10
    page.take(bid(5))
    page.take({ kind: 'other' })
  }
  expect(book.report()).toEqual({
    bids: [{ sequence: 5, decidedMs: 5_000, viewers: 3, lastMs: 5_030 }],
    faultCount: 0,
    faults: [],
  })
  expect(book.deliveries()).toBe(3)
  expect(book.bid(5)?.viewers).toBe(3)
  expect(book.bid(6)).toBeUndefined()
})

it('knows who has entered, a snapshot of no bids included', () => {
  const page = createDeliveryBook(Date.now).open('a')
  page.take({ kind: 'other' })
  expect(page.hasEntered()).toBe(false)
  page.take(snapshot(0))
  expect(page.hasEntered()).toBe(true)
})

it('lets a snapshot take the place of changes after a new connection, once and forward', () => {
  const book = createDeliveryBook(Date.now)
  expect(book.lowest()).toBe(0)
  const [page, other] = [book.open('a'), book.open('b')]
  for (const each of [page, other]) each.take(snapshot(1))
  page.reconnected()
  page.take(snapshot(4))
  expect(book.report().faultCount).toBe(0)
  expect(book.lowest()).toBe(1)
  other.reconnected()
  for (const sequence of [2, 3, 4]) other.take(bid(sequence))
  expect(book.lowest()).toBe(4)
  page.reconnected()
  page.take(snapshot(3))
  expect(book.report().faults).toEqual([expect.stringMatching(/snapshot of 3/)])
})

describe('complains of', () => {
  it.each([
    ['a gap', [snapshot(1), bid(2), bid(4)], [2, 4], /bid 4 after 2/],
    ['a bid that comes twice', [snapshot(1), bid(2), bid(2)], [2], /bid 2 after 2/],
    ['a bid that comes late', [snapshot(1), bid(2), bid(3), bid(2)], [2, 3], /bid 2 after 3/],
    ['a bid of before the snapshot', [snapshot(3), bid(2)], [], /bid 2 after 3/],
    ['a bid before any snapshot', [bid(1)], [1], /before any snapshot/],
    ['a snapshot in place of changes', [snapshot(1), bid(2), snapshot(4)], [2], /snapshot of 4/],
  ])('%s', (_, messages, delivered, complaint) => {
    const book = createDeliveryBook(Date.now)
    const page = book.open('a')
    for (const message of messages) page.take(message)
    const { bids, faults, faultCount } = book.report()
    expect(bids.map(({ sequence, viewers }) => [sequence, viewers])).toEqual(
      delivered.map((sequence) => [sequence, 1]),
    )
    expect(faultCount).toBe(1)
    expect(faults).toEqual([expect.stringMatching(complaint)])
  })

  it('everything, and shows the first ten', () => {
    const book = createDeliveryBook(Date.now)
    for (let index = 0; index < 12; index += 1) book.open(`viewer-${index}`).complain('gone')
    const { faults, faultCount } = book.report()
    expect(faultCount).toBe(12)
    expect(faults).toHaveLength(10)
    expect(faults[0]).toBe('viewer-0: gone')
  })
})
