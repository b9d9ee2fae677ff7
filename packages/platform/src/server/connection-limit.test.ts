import { expect, it } from 'vitest'
import { limitConnections } from './connection-limit.ts'
import { readOpenFilesMax } from '../process/open-files.ts'

const line = 'Max open files            1024                 524288               files     '

it('reads the soft limit', () => {
  const limits = `Limit                     Soft Limit           Hard Limit           Units\n${line}\n`
  expect(readOpenFilesMax(limits)).toBe(1_024)
  expect(readOpenFilesMax(line.replace('1024', 'unlimited'))).toBeUndefined()
  expect(readOpenFilesMax('')).toBeUndefined()
})

it.each([
  ['descriptors decide, less a reserve', undefined, 2_000, 1_800],
  ['the default is enough for everybody', undefined, 1_000_000, 32_000],
  ['who knows no limit takes the default', undefined, undefined, 32_000],
  ['the operator decides', 50, 2_000, 50],
  ['but cannot take what there is not', 5_000, 2_000, 1_800],
  ['next to none still answer somebody', undefined, 100, 50],
])('%s', (_, asked, filesMax, expected) => {
  expect(limitConnections(asked, filesMax)).toBe(expected)
})
