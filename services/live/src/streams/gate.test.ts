import { Code } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { createGate } from './gate.ts'

it('lets so many in, keeps others in line, and refuses one too many', async () => {
  const gate = createGate(2, 2)
  const begun: number[] = []
  const works = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
  const done = works.map(({ promise }, index) =>
    gate(async () => {
      begun.push(index)
      await promise
    }),
  )
  await expect(gate(async () => undefined)).rejects.toMatchObject({ code: Code.ResourceExhausted })
  expect(begun).toEqual([0, 1])
  works[1]?.reject(new Error('failed'))
  await expect(done[1]).rejects.toThrow('failed')
  await new Promise((resolve) => setImmediate(resolve))
  expect(begun).toEqual([0, 1, 2])
  for (const { resolve } of works) resolve()
  await Promise.all([done[0], done[2], done[3]])
  expect(begun).toEqual([0, 1, 2, 3])
  await gate(async () => void begun.push(4))
  expect(begun).toHaveLength(5)
})
