import { Code } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { idsOf, packedIds } from './packed-ids.ts'

const ids = ['018f0000-0000-7000-8000-000000000001', 'ffffffff-ffff-4fff-bfff-ffffffffffff']

it('comes back as it was, in lower case', () => {
  expect(idsOf(packedIds(ids))).toEqual(ids)
  expect(idsOf(packedIds(ids.map((id) => id.toUpperCase())))).toEqual(ids)
  expect(idsOf(packedIds([]))).toEqual([])
})

it('half an id is refused', () => {
  const half = packedIds(ids).subarray(8)
  expect(() => idsOf(half)).toThrow(expect.objectContaining({ code: Code.InvalidArgument }))
})
