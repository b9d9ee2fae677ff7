import { create } from '@bufbuild/protobuf'
import { ItemSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { expect, it } from 'vitest'
import { createItemReader } from './item-reader.ts'

/** A query that waits to be answered. */
function questions() {
  const asked: { ids: string[]; answer: (version: bigint) => void; fail: () => void }[] = []
  const reader = createItemReader((ids) => {
    const { promise, resolve, reject } = Promise.withResolvers<bigint>()
    asked.push({ ids, answer: resolve, fail: () => reject(new Error('unavailable')) })
    return promise.then((version) => ids.map((id) => create(ItemSchema, { id, version })))
  })
  return { reader, asked }
}

const tick = () => new Promise((resolve) => setImmediate(resolve))

it('asks once for all who ask in the same moment', async () => {
  const { reader, asked } = questions()
  const reads = ['a', 'b', 'a'].map((id) => reader.read(id))
  await tick()
  expect(asked.map(({ ids }) => ids)).toEqual([['a', 'b']])
  asked[0]?.answer(1n)
  expect((await Promise.all(reads)).map((item) => item?.id)).toEqual(['a', 'b', 'a'])
})

it('never answers with what was asked before', async () => {
  const { reader, asked } = questions()
  const early = reader.read('a')
  await tick()
  const late = reader.read('a')
  await tick()
  expect(asked).toHaveLength(1)
  asked[0]?.answer(1n)
  expect((await early)?.version).toBe(1n)
  await tick()
  asked[1]?.answer(2n)
  expect((await late)?.version).toBe(2n)
})

it('fails those who asked, and goes on', async () => {
  const { reader, asked } = questions()
  const read = reader.read('a')
  read.catch(() => undefined)
  await tick()
  asked[0]?.fail()
  await expect(read).rejects.toThrow('unavailable')
  const next = reader.read('a')
  await tick()
  asked[1]?.answer(3n)
  expect((await next)?.version).toBe(3n)
})
