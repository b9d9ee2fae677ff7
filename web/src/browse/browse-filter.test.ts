import { describe, expect, it } from 'vitest'
import { type BrowseFilter, readFilter, withStatus, writeFilter } from './browse-filter.ts'

const start: BrowseFilter = {
  query: '',
  category: '',
  currency: '',
  status: 'open',
  order: 'ending',
}

describe('browse filter', () => {
  it('is what is open and ends soonest when the address says nothing', () => {
    expect(readFilter(new URLSearchParams())).toEqual(start)
    expect(writeFilter(start).toString()).toBe('')
  })

  it.each<BrowseFilter>([
    { ...start, query: 'leica m3' },
    { ...start, category: 'arts & crafts' },
    { ...start, order: 'dear' },
    { ...start, status: 'ended', order: 'newest' },
    { ...start, status: 'scheduled', order: 'newest' },
    { query: 'a&b', category: 'ü', currency: 'JPY', status: 'all', order: 'cheap' },
  ])('reads what it wrote: %j', (filter) => {
    expect(readFilter(new URLSearchParams(writeFilter(filter).toString()))).toEqual(filter)
  })

  it.each([
    ['status=nonsense&order=toString', start],
    ['status=constructor', start],
    ['q=%20%20', start],
    ['currency=XYZ', start],
    ['status=ended&order=ending', { ...start, status: 'ended', order: 'newest' }],
    [`q=${'x'.repeat(300)}`, { ...start, query: 'x'.repeat(200) }],
  ] as const)('mends %j', (address, filter) => {
    expect(readFilter(new URLSearchParams(address))).toEqual(filter)
  })

  it('keeps a chosen order with another status, and lets the default go with it', () => {
    expect(withStatus(start, 'ended').order).toBe('newest')
    expect(withStatus({ ...start, order: 'cheap' }, 'ended').order).toBe('cheap')
    expect(withStatus({ ...start, status: 'ended', order: 'newest' }, 'open').order).toBe('ending')
  })
})
