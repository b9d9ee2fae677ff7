import { describe, expect, it } from 'vitest'
import { distinctTicks, timeLabel, timeTicks } from './chart-ticks.ts'

const START_MS = Date.UTC(2026, 10, 21, 12)
const HOUR_MS = 3_600_000

describe('ticks of time', () => {
  it.each([
    1_000,
    90_000,
    600_000,
    HOUR_MS,
    23 * HOUR_MS,
    26 * HOUR_MS,
    49 * HOUR_MS,
    500 * HOUR_MS,
  ])('over %i ms never say a thing twice', (spanMs) => {
    const labels = timeTicks(START_MS, START_MS + spanMs, 5).map((ms) => timeLabel(ms, spanMs))
    expect(labels.length).toBeGreaterThan(1)
    expect(new Set(labels).size).toBe(labels.length)
  })

  it('name each day of a week once', () => {
    const every3Hours = Array.from({ length: 56 }, (_, at) => START_MS + at * 3 * HOUR_MS)
    const day = (ms: number): string => new Date(ms).toDateString()
    const ticks = distinctTicks(every3Hours, day).map(day)
    expect(new Set(ticks).size).toBe(ticks.length)
    expect(ticks).toHaveLength(8)
  })

  it('of no time at all are one', () => {
    expect(timeTicks(START_MS, START_MS, 5)).toEqual([START_MS])
  })
})
