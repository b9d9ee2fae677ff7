import { basename } from 'node:path'
import { expect, it, vi } from 'vitest'
import { findProgram } from './find-program.ts'

it('finds a program on the PATH, and nothing where there is none', async () => {
  const node = process.execPath
  vi.stubEnv('PATH', `relative:/nowhere:${node.slice(0, -basename(node).length - 1)}`)
  expect(await findProgram(basename(node))).toBe(node)
  expect(await findProgram('no-such-program')).toBeUndefined()
  vi.unstubAllEnvs()
})
