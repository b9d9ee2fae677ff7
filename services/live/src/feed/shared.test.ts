import { expect, it } from 'vitest'
import { createShared } from './shared.ts'

function createWorld() {
  const runs: PromiseWithResolvers<void>[] = []
  const ask = createShared(() => {
    const run = Promise.withResolvers<void>()
    runs.push(run)
    return run.promise
  })
  return { runs, ask }
}

it('is never older than the question, and asked once for all who wait', async () => {
  const { runs, ask } = createWorld()
  const first = ask()
  const [second, third] = [ask(), ask()]
  expect([runs.length, second === third]).toEqual([1, true])
  runs[0]?.resolve()
  await first
  await new Promise((resolve) => setImmediate(resolve))
  expect(runs).toHaveLength(2)
  const fourth = ask()
  runs[1]?.resolve()
  await Promise.all([second, third])
  await new Promise((resolve) => setImmediate(resolve))
  expect(runs).toHaveLength(3)
  runs[2]?.resolve()
  await fourth
})

it('fails those who asked, and goes on', async () => {
  const { runs, ask } = createWorld()
  const [first, second] = [ask(), ask()]
  runs[0]?.reject(new Error('unavailable'))
  await expect(first).rejects.toThrow('unavailable')
  await new Promise((resolve) => setImmediate(resolve))
  runs[1]?.resolve()
  await second
})
