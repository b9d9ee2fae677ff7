import { afterEach, expect, test, vi } from 'vitest'
import type { Part } from './part.ts'
import { createReadiness } from './readiness.ts'

afterEach(() => {
  vi.useRealTimers()
})

function part(name: string, check: () => Promise<void>): Part {
  return { name, check, services: [], routes: () => undefined, stop: async () => undefined }
}

test('ready when every part is; otherwise every reason is told', async () => {
  let reason: Error | undefined
  const parts = [
    part('bid', async () => undefined),
    part('stats', () => (reason ? Promise.reject(reason) : Promise.resolve())),
  ]
  let nowMs = 0
  const readiness = createReadiness(parts, () => nowMs)
  expect(await readiness.check()).toEqual({ ready: true, parts: { bid: 'ok', stats: 'ok' } })
  reason = new Error('no broker')
  nowMs += 1_000
  expect(await readiness.check()).toEqual({
    ready: false,
    parts: { bid: 'ok', stats: 'no broker' },
  })
})

test('probes at the same time, and shortly after, share one check', async () => {
  const check = vi.fn(async () => undefined)
  let nowMs = 0
  const readiness = createReadiness([part('bid', check)], () => nowMs)
  await Promise.all([readiness.check(), readiness.check()])
  nowMs += 999
  await readiness.check()
  expect(check).toHaveBeenCalledTimes(1)
  nowMs += 1
  await readiness.check()
  expect(check).toHaveBeenCalledTimes(2)
})

test('a check that never answers is a reason after 2 s, and holds up no other', async () => {
  vi.useFakeTimers()
  const hanging = part('bid', () => Promise.withResolvers<void>().promise)
  const readiness = createReadiness([hanging, part('stats', async () => undefined)])
  const answer = readiness.check()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(await answer).toEqual({
    ready: false,
    parts: { bid: 'check: no answer within 2000 ms', stats: 'ok' },
  })
})

test('shutting down is not ready at once, whatever was shared', async () => {
  const readiness = createReadiness([part('bid', async () => undefined)])
  await readiness.check()
  readiness.shutDown()
  expect(await readiness.check()).toEqual({ ready: false, parts: {}, reason: 'shutting down' })
})
