import { expect, test } from 'vitest'
import { OverloadedError, TransientError } from './errors.ts'
import { createTurns } from './turns.ts'

/** Work that lasts until it is let go, and says who has begun. */
function gatedWork() {
  const begun: number[] = []
  const gates = new Map<number, () => void>()
  const work = (id: number) => async () => {
    begun.push(id)
    await new Promise<void>((resolve) => gates.set(id, resolve))
    return id
  }
  return { begun, work, end: (id: number) => gates.get(id)?.() }
}

const settled = () => new Promise(setImmediate)

test('places are shared in order of arrival', async () => {
  const { begun, work, end } = gatedWork()
  const turns = createTurns(['only'])
  const all = [1, 2, 3].map((id) => turns.run(work(id)))
  await settled()
  expect(begun).toEqual([1])
  for (const id of [1, 2, 3]) {
    end(id)
    await settled()
  }
  expect(begun).toEqual([1, 2, 3])
  expect(await Promise.all(all)).toEqual([1, 2, 3])
})

test('whoever leaves is told at once, and their work is never begun', async () => {
  const { begun, work, end } = gatedWork()
  const turns = createTurns(['only'])
  const first = turns.run(work(1))
  const caller = new AbortController()
  const left = turns.run(work(2), caller.signal)
  const last = turns.run(work(3))
  await settled()
  caller.abort()
  // In the same step: the place must not go to the one who has just left.
  end(1)
  await expect(left).rejects.toMatchObject({ name: 'AbortError' })
  await first
  await settled()
  end(3)
  expect(await last).toBe(3)
  await expect(turns.run(work(4), caller.signal)).rejects.toMatchObject({ name: 'AbortError' })
  expect(begun).toEqual([1, 3])
})

test('the queue has a length and each wait a limit', async () => {
  const { begun, work, end } = gatedWork()
  const turns = createTurns(['only'], { maxWaiting: 1, maxWaitMs: 10 })
  const first = turns.run(work(1))
  const second = turns.run(work(2))
  await settled()
  await expect(turns.run(work(3))).rejects.toThrow(OverloadedError)
  await expect(second).rejects.toThrow(TransientError)
  end(1)
  await first
  const fourth = turns.run(work(4))
  await settled()
  end(4)
  expect(await fourth).toBe(4)
  expect(begun).toEqual([1, 4])
})

test('work that fails gives its place back', async () => {
  const turns = createTurns(['only'])
  await expect(turns.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await turns.run(async (place) => place)).toBe('only')
})
