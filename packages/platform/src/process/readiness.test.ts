import { afterEach, expect, test, vi } from 'vitest'
import type { Component } from './component.ts'
import { createReadiness } from './readiness.ts'

afterEach(() => {
  vi.useRealTimers()
})

function component(name: string, check: () => Promise<void>): Component {
  return { name, check, services: [], routes: () => undefined, stop: async () => undefined }
}

test('ready when every component is; otherwise every reason is told', async () => {
  let reason: Error | undefined
  const components = [
    component('bid', async () => undefined),
    component('stats', () => (reason ? Promise.reject(reason) : Promise.resolve())),
  ]
  let nowMs = 0
  const readiness = createReadiness(components, () => nowMs)
  expect(await readiness.check()).toEqual({ ready: true, components: { bid: 'ok', stats: 'ok' } })
  reason = new Error('no broker')
  nowMs += 1_000
  expect(await readiness.check()).toEqual({
    ready: false,
    components: { bid: 'ok', stats: 'no broker' },
  })
})

test('probes at the same time, and shortly after, share one check', async () => {
  const check = vi.fn(async () => undefined)
  let nowMs = 0
  const readiness = createReadiness([component('bid', check)], () => nowMs)
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
  const hanging = component('bid', () => Promise.withResolvers<void>().promise)
  const readiness = createReadiness([hanging, component('stats', async () => undefined)])
  const answer = readiness.check()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(await answer).toEqual({
    ready: false,
    components: { bid: 'check: no answer within 2000 ms', stats: 'ok' },
  })
})

test('shutting down is not ready at once, whatever was shared', async () => {
  const readiness = createReadiness([component('bid', async () => undefined)])
  await readiness.check()
  readiness.shutDown()
  expect(await readiness.check()).toEqual({ ready: false, components: {}, reason: 'shutting down' })
})
