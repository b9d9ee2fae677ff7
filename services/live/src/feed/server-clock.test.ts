import { expect, it } from 'vitest'
import { createServerClock } from './server-clock.ts'

/** The database is ahead by this much. */
const AHEAD_MS = 3_000

/** Reads at these moments; the way there and the way back take so long. */
function readAll(readings: readonly { atMs: number; thereMs: number; backMs: number }[]) {
  const clock = createServerClock(() => 0)
  for (const { atMs, thereMs, backMs } of readings) {
    clock.observe(atMs + thereMs + AHEAD_MS, atMs, atMs + thereMs + backMs)
  }
  return clock
}

it('goes by the least delayed of recent readings, not by the last', () => {
  const delays = [
    { thereMs: 90, backMs: 2 },
    { thereMs: 1, backMs: 1 },
    { thereMs: 1, backMs: 95 },
    { thereMs: 4_000, backMs: 3 },
  ]
  const clock = readAll(delays.map((each, index) => ({ ...each, atMs: index * 1_000 })))
  expect(clock.now()).toBe(AHEAD_MS)
})

it('takes a slow reading rather than none', () => {
  expect(readAll([{ atMs: 0, thereMs: 150, backMs: 150 }]).now()).toBe(AHEAD_MS)
})

it('follows at once when a clock is set', () => {
  const clock = readAll([{ atMs: 0, thereMs: 1, backMs: 1 }])
  clock.observe(2_010 + AHEAD_MS - 60_000, 2_000, 2_020)
  expect(clock.now()).toBe(AHEAD_MS - 60_000)
})

it('forgets a reading after a minute', () => {
  const clock = createServerClock(() => 0)
  clock.observe(AHEAD_MS + 1, 0, 2)
  for (let second = 1; second <= 60; second += 1) {
    const sentMs = second * 1_000
    clock.observe(sentMs + AHEAD_MS + 12, sentMs, sentMs + 10)
  }
  expect(clock.now()).toBe(AHEAD_MS + 7)
})
