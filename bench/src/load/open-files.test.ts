import { expect, it } from 'vitest'
import { expectOpenFiles, refuseTooMany } from './open-files.ts'

it('refuses what does not fit and says what to do', async () => {
  expect(() => refuseTooMany(10_000, 1_024)).toThrow(/ulimit -n 10200/)
  expect(() => refuseTooMany(800, 1_024)).not.toThrow()
  expect(() => refuseTooMany(10_000, undefined)).not.toThrow()
  await expectOpenFiles(1)
})
