import { expect, it } from 'vitest'
import { createClockOffset } from './clock-offset.ts'

/** A browser whose clock is behind the server's by this much. */
const TRUE_OFFSET_MS = 5_000

/** Messages as they come: sent when this machine's clock would show `atMs`, on the way for `delayMs`. */
function observeAll(messages: readonly { atMs: number; delayMs: number }[]) {
  const offset = createClockOffset()
  for (const { atMs, delayMs } of messages) {
    offset.observe(atMs + TRUE_OFFSET_MS, atMs + delayMs)
  }
  return offset
}

it('is that of the least delayed message, not of the last', () => {
  const delays = [400, 15, 2_500, 300, 9_000]
  const offset = observeAll(delays.map((delayMs, index) => ({ atMs: index * 8_000, delayMs })))
  expect(offset.offsetMs()).toBe(TRUE_OFFSET_MS - 15)
})

it('is taken from the first message until there are better ones', () => {
  expect(createClockOffset().offsetMs()).toBe(0)
  expect(observeAll([{ atMs: 0, delayMs: 700 }]).offsetMs()).toBe(TRUE_OFFSET_MS - 700)
})

it('forgets messages after a minute, because clocks drift', () => {
  const first = { atMs: 0, delayMs: 10 }
  const late = (atMs: number) => ({ atMs, delayMs: 200 })
  expect(observeAll([first, late(30_000)]).offsetMs()).toBe(TRUE_OFFSET_MS - 10)
  expect(observeAll([first, late(30_000), late(60_000)]).offsetMs()).toBe(TRUE_OFFSET_MS - 200)
})

it('follows at once when the clock of this machine is set', () => {
  for (const setByMs of [3_600_000, -3_600_000]) {
    const offset = observeAll([{ atMs: 0, delayMs: 10 }])
    offset.observe(1_000 + TRUE_OFFSET_MS, 1_000 + setByMs + 50)
    expect(offset.offsetMs()).toBe(TRUE_OFFSET_MS - setByMs - 50)
  }
})

it('equals the plain maximum over the last minute, and keeps little', () => {
  const offset = createClockOffset()
  const seen: { receivedMs: number; differenceMs: number }[] = []
  for (let index = 0; index < 5_000; index += 1) {
    const receivedMs = index * 37
    const differenceMs = 10 - ((index * 7_919) % 1_009)
    seen.push({ receivedMs, differenceMs })
    offset.observe(receivedMs + differenceMs, receivedMs)
    const recent = seen.slice(-1_700).filter((each) => receivedMs - each.receivedMs < 60_000)
    if (index % 97 === 0) {
      expect(offset.offsetMs()).toBe(Math.max(...recent.map((each) => each.differenceMs)))
    }
  }
})
