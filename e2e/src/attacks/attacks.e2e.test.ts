/**
 * Every attack for a second, at a fifth of its size: that the server lives through it within its budgets and
 * honest bidders are served. How well they are served is for `make test-attacks`.
 */
import { expect, it } from 'vitest'
import { attacks } from './catalogue.ts'
import { runAttacks } from './run-attacks.ts'
import { GROWTH_MAX_BYTES } from './verdict.ts'

/** Other tests may share the machine; without the budgets some attacks make it ten times as much. */
const P99_MAX_MS = 2_000

it('lives through every attack, and honest bidders with it', async () => {
  const log = { info: () => undefined, warn: () => undefined }
  const results = await runAttacks({ attacks, seconds: 1, scale: 0.2, isShort: true }, log)
  expect(results.map(({ attack }) => attack)).toEqual(attacks.map(({ name }) => name))
  const harmed = results.filter(
    ({ isAlive, failed, memory, honest }) =>
      !isAlive ||
      Object.keys(failed).length > 0 ||
      !(memory.worst.inUseBytes - memory.before.inUseBytes < GROWTH_MAX_BYTES) ||
      !(honest.duringMs < P99_MAX_MS),
  )
  expect(harmed).toEqual([])
}, 240_000)
