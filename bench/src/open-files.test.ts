import { expect, it } from 'vitest'
import { expectOpenFiles, openFilesMax, refuseTooMany } from './open-files.ts'

const line = 'Max open files            1024                 524288               files     '

it('reads the soft limit', () => {
  const limits = `Limit                     Soft Limit           Hard Limit           Units\n${line}\n`
  expect(openFilesMax(limits)).toBe(1_024)
  expect(openFilesMax(line.replace('1024', 'unlimited'))).toBeUndefined()
  expect(openFilesMax('')).toBeUndefined()
})

it('refuses what does not fit and says what to do', async () => {
  expect(() => refuseTooMany(10_000, 1_024)).toThrow(/ulimit -n 10200/)
  expect(() => refuseTooMany(800, 1_024)).not.toThrow()
  expect(() => refuseTooMany(10_000, undefined)).not.toThrow()
  await expectOpenFiles(1)
})
