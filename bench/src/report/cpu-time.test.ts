import { expect, it } from 'vitest'
import { cpuBetween, readCpuSeconds } from './cpu-time.ts'

it.runIf(process.platform === 'linux')('sees the work of a process', async () => {
  const before = await readCpuSeconds({ servers: [process.pid] })
  const untilMs = performance.now() + 300
  while (performance.now() < untilMs) Math.sqrt(untilMs)
  const used = cpuBetween(before, await readCpuSeconds({ servers: [process.pid] }))
  // A busy machine gives less than all of a core, never more than all of them.
  expect(used.server).toBeGreaterThan(0.02)
  expect(used.machine).toBeGreaterThanOrEqual((used.server ?? 0) - 0.05)
  expect(used.database).toBeUndefined()
})
