/** Which time a request for activity means, and which requests mean none. */
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { activitySpan } from './routes.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** Not on any bucket's edge. */
const nowMs = Date.UTC(2026, 10, 20, 12, 34, 56, 789)

function span(fromMs?: number, toMs?: number, bucketMs?: number) {
  return activitySpan(
    {
      ...(fromMs !== undefined && { from: timestampFromMs(fromMs) }),
      ...(toMs !== undefined && { to: timestampFromMs(toMs) }),
      ...(bucketMs !== undefined && { bucket: durationOf(bucketMs) }),
    },
    nowMs,
  )
}

function durationOf(ms: number) {
  const seconds = BigInt(Math.floor(ms / 1_000))
  const nanos = (ms % 1_000) * 1_000_000
  return { $typeName: 'google.protobuf.Duration' as const, seconds, nanos }
}

function rejection(call: () => unknown): ConnectError {
  try {
    call()
  } catch (error) {
    if (error instanceof ConnectError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('activitySpan', () => {
  it('is the last 24 hours by the hour when nothing is said', () => {
    const fromMs = Date.UTC(2026, 10, 19, 12)
    expect(span()).toEqual({ fromMs, toMs: nowMs, bucketMs: hourMs })
  })

  it('is the 24 hours before `to` without `from`', () => {
    const toMs = Date.UTC(2026, 0, 2)
    expect(span(undefined, toMs)).toEqual({ fromMs: toMs - dayMs, toMs, bucketMs: hourMs })
  })

  it('goes on until now without `to`', () => {
    expect(span(nowMs - hourMs, undefined, minuteMs).toMs).toBe(nowMs)
  })

  it('rounds `from` down to a whole bucket and leaves `to`', () => {
    const fromMs = Date.UTC(2026, 0, 1, 1, 59, 59)
    const toMs = Date.UTC(2026, 0, 1, 3, 0, 1)
    expect(span(fromMs, toMs)).toEqual({ fromMs: Date.UTC(2026, 0, 1, 1), toMs, bucketMs: hourMs })
    expect(span(0, 1, minuteMs)).toEqual({ fromMs: 0, toMs: 1, bucketMs: minuteMs })
  })

  it('allows 1,000 buckets', () => {
    expect(span(0, 1_000 * minuteMs, minuteMs).toMs).toBe(1_000 * minuteMs)
  })

  const yearTenThousandMs = Date.UTC(10_000, 0)
  it.each<[string, () => unknown, RegExp]>([
    ['a bucket of 90 seconds', () => span(0, 1, 90_000), /whole minutes/],
    ['a bucket of a minute and a millisecond', () => span(0, 1, 60_001), /whole minutes/],
    ['from = to', () => span(5, 5), /from must be before to/],
    ['from after to', () => span(6, 5), /from must be before to/],
    ['from in the future', () => span(nowMs + 1), /from must be before to/],
    ['from before 1970', () => span(-1, 5), /1970/],
    ['1,001 buckets', () => span(0, 1_000 * minuteMs + 1, minuteMs), /at most 1000 buckets/],
    ['the default day by the minute', () => span(undefined, undefined, minuteMs), /at most 1000/],
    [
      'the year 10000',
      () => span(yearTenThousandMs - hourMs, yearTenThousandMs + 1, hourMs),
      /year 9999/,
    ],
    [
      'a time no calendar has',
      () =>
        activitySpan(
          { to: { $typeName: 'google.protobuf.Timestamp', seconds: 10n ** 13n, nanos: 0 } },
          nowMs,
        ),
      /year 9999/,
    ],
  ])('refuses %s', (_, call, says) => {
    const error = rejection(call)
    expect(error.code).toBe(Code.InvalidArgument)
    expect(error.message).toMatch(says)
  })
})
