import { describe, expect, it } from 'vitest'
import { fromField, toField } from './wall-time.ts'

describe('moments of a field', () => {
  it('come back as they were, to the minute', () => {
    const ms = new Date(2026, 0, 2, 3, 4).getTime()
    expect(toField(ms)).toBe('2026-01-02T03:04')
    expect(fromField(toField(ms))).toBe(ms)
  })

  it('are later rather than earlier', () => {
    expect(toField(new Date(2026, 11, 31, 23, 59, 1).getTime())).toBe('2027-01-01T00:00')
  })

  it.each(['', 'soon', '2026-13-01T00:00', '2026-01-02'])('are none: %j', (text) => {
    expect(fromField(text)).toBeUndefined()
  })
})
