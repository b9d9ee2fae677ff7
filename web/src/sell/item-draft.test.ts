import { create } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import {
  CreateItemRequestSchema,
  ItemSchema,
  SoftClose_Mode,
  UpdateItemRequestSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { brokenRules } from './field-rules.ts'
import {
  createRequest,
  descriptionOf,
  emptyDraft,
  type ItemDraft,
  onLines,
  updateRequest,
} from './item-draft.ts'
import { formatMoney } from '../ui/money.ts'
import { toField } from './wall-time.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12)
const HOUR_MS = 3_600_000
const good: ItemDraft = {
  ...emptyDraft,
  title: 'Desk',
  startPrice: '25',
  endAt: toField(NOW_MS + HOUR_MS),
}

/** Everything that is wrong with a draft, by field. */
function wrong(change: Partial<ItemDraft>): Record<string, string> {
  const { request, faults } = createRequest({ ...good, ...change }, 'ann', NOW_MS, 'key')
  return Object.fromEntries([...brokenRules(CreateItemRequestSchema, request), ...faults])
}

describe('a draft to sell', () => {
  it('becomes a request', () => {
    const draft = { ...good, title: ' Desk ', images: ['', ' https://x/1.jpg ', ''] }
    const { request, faults } = createRequest(draft, 'ann', NOW_MS, 'key')
    expect(faults.size).toBe(0)
    expect(request).toMatchObject({
      title: 'Desk',
      startPrice: 2_500n,
      minIncrement: 0n,
      images: ['https://x/1.jpg'],
      sellerId: 'ann',
    })
    expect(request.startAt).toBeUndefined()
    expect(request.softClose).toMatchObject({ maxExtensions: 5, window: { seconds: 30n } })
    expect(request.endAt && timestampMs(request.endAt)).toBe(NOW_MS + HOUR_MS)
    expect(wrong({})).toEqual({})
  })

  it('reads amounts by their currency', () => {
    const { request } = createRequest(
      { ...good, currency: 'JPY', minIncrement: '3' },
      'ann',
      NOW_MS,
      'key',
    )
    expect(request).toMatchObject({ startPrice: 25n, minIncrement: 3n })
  })

  it('can give every late bid the whole window', () => {
    const { request } = createRequest(
      { ...good, mode: 'reset', extension: 'x', maxTotal: '60' },
      'ann',
      NOW_MS,
      '',
    )
    const { softClose } = request
    expect(softClose).toMatchObject({
      mode: SoftClose_Mode.RESET,
      window: { seconds: 30n },
      maxTotal: { seconds: 3_600n },
    })
    expect(softClose?.extension).toBeUndefined()
    expect(softClose?.maxExtensions).toBeUndefined()
  })

  it('can do without soft close, whatever its fields say', () => {
    const { request, faults } = createRequest(
      { ...good, softClose: false, window: 'x' },
      'a',
      NOW_MS,
      'key',
    )
    expect(request.softClose?.maxExtensions).toBe(0)
    expect(faults.size).toBe(0)
  })

  it.each<[string, string | RegExp, Partial<ItemDraft>]>([
    ['title', 'Enter a title.', { title: '  ' }],
    ['title', 'Must be at most 200 characters.', { title: 'x'.repeat(201) }],
    ['description', 'Must be at most 10000 characters.', { description: 'x'.repeat(10_001) }],
    ['category', 'Must be at most 64 characters.', { category: 'x'.repeat(65) }],
    ['startPrice', 'Enter an amount, such as 25.00.', { startPrice: '' }],
    ['startPrice', 'JPY has no digits after the point.', { startPrice: '1.5', currency: 'JPY' }],
    ['startPrice', 'Enter an amount, such as 25.', { startPrice: 'x', currency: 'JPY' }],
    ['startPrice', /two ways.* 1000\.00/, { startPrice: '1.000' }],
    ['startPrice', `Must be at least ${formatMoney(1n, 'EUR')}.`, { startPrice: '0' }],
    ['startPrice', 'This amount is out of range.', { startPrice: '99999999999999' }],
    ['minIncrement', 'Enter an amount, such as 25.00.', { minIncrement: 'ten' }],
    ['endAt', 'Choose an end time.', { endAt: '' }],
    ['endAt', 'The end must be in the future.', { endAt: toField(NOW_MS) }],
    ['endAt', 'An auction lasts a year at most.', { endAt: '2028-01-01T00:00' }],
    ['endAt', 'The end must be after the start.', { startAt: good.endAt }],
    [
      'startAt',
      'This is in the past. Leave it empty to start now.',
      { startAt: '2026-01-01T00:00' },
    ],
    ['softClose.window', 'Between 1 second and 3600 seconds.', { window: '0' }],
    ['softClose.extension', 'Enter a whole number.', { extension: '1.5' }],
    ['softClose.extension', 'No shorter than the time it counts from.', { extension: '29' }],
    ['softClose.maxTotal', 'Enter a whole number.', { mode: 'reset', maxTotal: 'x' }],
    ['softClose.maxExtensions', 'Between 0 and 1000.', { maxExtensions: '1001' }],
  ])('%s: %s', (field, words, change) => {
    const said = typeof words === 'string' ? words : expect.stringMatching(words)
    expect(wrong(change)).toEqual({ [field]: said })
  })

  it('finds a bad picture, and the line it stands in', () => {
    const images = ['', 'https://x/1.jpg', 'desk.jpg']
    const faults = wrong({ images })
    expect(Object.keys(faults)).toEqual(['images[1]'])
    expect([...onLines(new Map(Object.entries(faults)), images).keys()]).toEqual(['images[2]'])
  })
})

describe('a draft of a change', () => {
  const item = create(ItemSchema, {
    id: '01a1fe2a-f5e9-750f-adbe-11c39a637c69',
    title: 'Desk',
    category: 'furniture',
    images: ['https://x/1.jpg'],
  })

  it('asks for nothing when nothing changed', () => {
    expect(updateRequest(item, descriptionOf(item), 'ann')).toMatchObject({ changed: false })
  })

  it('asks for what changed only', () => {
    const { request, changed } = updateRequest(
      item,
      { ...descriptionOf(item), category: '' },
      'ann',
    )
    expect(changed).toBe(true)
    expect(request).toMatchObject({ category: '', updateMask: { paths: ['category'] } })
    expect(request.title).toBeUndefined()
    expect(brokenRules(UpdateItemRequestSchema, request).size).toBe(0)
  })

  it('can take away the last picture', () => {
    const { request } = updateRequest(item, { ...descriptionOf(item), images: [' '] }, 'ann')
    expect(request).toMatchObject({ images: [], updateMask: { paths: ['images'] } })
  })
})
