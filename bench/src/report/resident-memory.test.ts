import { expect, it } from 'vitest'
import { lowestResidentBytes } from './resident-memory.ts'

it.runIf(process.platform === 'linux')('reads what this process holds', async () => {
  const bytes = await lowestResidentBytes(process.pid, 0)
  const { rss } = process.memoryUsage()
  expect(bytes / rss).toBeGreaterThan(0.5)
  expect(bytes / rss).toBeLessThan(2)
})

it('knows nothing of a process that is not there', async () => {
  expect(await lowestResidentBytes(2 ** 30, 0)).toBeNaN()
})
