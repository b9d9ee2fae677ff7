import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { SoftClose_Mode, SoftCloseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { countBids, formatSpan, formatWhen, softCloseWords, times } from './item-words.ts'
import { formatMoment, formatTime } from '../ui/time.ts'

describe('item words', () => {
  it('counts', () => {
    expect([0n, 1n, 12n].map(countBids)).toEqual(['no bids', 'one bid', '12 bids'])
    expect([1, 2, 5].map(times)).toEqual(['once', 'twice', '5 times'])
  })

  it.each([
    [30_000, '30 s'],
    [60_000, '1 min'],
    [90_000, '1 min 30 s'],
    [5_400_000, '1 h 30 min'],
  ])('says %i ms', (ms, words) => {
    expect(formatSpan(ms)).toBe(words)
  })

  it('explains soft close, and nothing where there is none', () => {
    const window = durationFromMs(30_000)
    const softClose = create(SoftCloseSchema, { window, extension: window, maxExtensions: 5 })
    expect(softCloseWords(softClose)).toBe(
      'A bid in the last 30 s extends the auction by 30 s, up to 5 times.',
    )
    const maxTotal = durationFromMs(3_600_000)
    const reset = { ...softClose, mode: SoftClose_Mode.RESET, maxExtensions: 0, maxTotal }
    expect(softCloseWords(reset)).toBe(
      'A bid in the last 30 s leaves 30 s to answer it, by 1 h in all.',
    )
    expect(softCloseWords({ ...softClose, maxExtensions: 0 })).toBeUndefined()
    expect(softCloseWords(undefined)).toBeUndefined()
  })

  it('leaves out today', () => {
    const noon = new Date(2026, 4, 5, 12).getTime()
    expect(formatWhen(noon, noon + 3_600_000)).toBe(formatTime(noon))
    expect(formatWhen(noon, noon + 86_400_000)).toBe(formatMoment(noon))
  })
})
