import { expect, test } from 'vitest'
import { createLog } from './log.ts'
import { runPeriodically } from './run-periodically.ts'

test('goes on after a failure, which is logged with its reason, until the signal', async () => {
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  const stopping = new AbortController()
  let times = 0
  await runPeriodically(
    async () => {
      times += 1
      if (times === 1) throw new Error('no database')
      stopping.abort()
    },
    {
      intervalMs: 1,
      signal: stopping.signal,
      log: createLog({ name: 'test', level: 'info', destination }),
      failure: 'not done',
    },
  )
  expect(times).toBe(2)
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'not done', reason: 'no database' })
})
