/** Lists of strangers: read in line, bounded all together, and not at all for who has left. */
import { create } from '@bufbuild/protobuf'
import { ItemSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Code } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { Hub, type HubOptions } from '../feed/hub.ts'
import { RecordingViewer } from '../streams/recording-viewer.ts'

function createWorld(changes: Partial<HubOptions> = {}) {
  const nothing = () => undefined
  const questions: { ids: string[]; answer: () => void }[] = []
  const hub = new Hub({
    readItems: async (ids) => ids.map((id) => create(ItemSchema, { id, version: 1n })),
    findItems: async () => [],
    readVersions: async (ids) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      questions.push({ ids, answer: resolve })
      await promise
      return ids.map((id) => ({ id, version: 1n }))
    },
    now: () => 0,
    viewersMax: 10_000,
    onOpened: nothing,
    onClosed: nothing,
    onJoined: nothing,
    onLeft: nothing,
    ...changes,
  })
  const watch = (itemIds: string[], category = '', signal?: AbortSignal) =>
    hub.watchItems(new RecordingViewer('').open, { itemIds, category, sellerId: '' }, signal)
  return { hub, questions, watch }
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 20))

it('asks for what has changed only, once for all who ask at the same time', async () => {
  const { questions, watch } = createWorld()
  // Nothing is known yet: the items are read as they are.
  await watch(['a', 'b'])
  expect(questions).toEqual([])
  const [first, ...others] = Array.from({ length: 100 }, () => watch(['b', 'a']))
  await soon()
  expect(questions.map(({ ids }) => ids)).toEqual([['a', 'b']])
  questions[0]?.answer()
  await first
  await soon()
  expect(questions).toHaveLength(2)
  questions[1]?.answer()
  await Promise.all(others)
})

it('reads two lists at a time, and none for who has left before', async () => {
  const { questions, watch, hub } = createWorld()
  await watch(['a', 'b', 'c', 'd', 'e'])
  const leaving = new AbortController()
  const [first, second, left, last] = [
    watch(['a']),
    watch(['b']),
    watch(['c'], '', leaving.signal),
    watch(['d']),
  ]
  await soon()
  expect(questions.map(({ ids }) => ids)).toEqual([['a'], ['b']])
  leaving.abort()
  await expect(left).rejects.toMatchObject({ code: Code.Canceled })
  for (const { answer } of questions) answer()
  await Promise.all([first, second])
  await soon()
  expect(questions.map(({ ids }) => ids)).toEqual([['a'], ['b'], ['d']])
  questions[2]?.answer()
  await last
  expect(hub.viewers.size()).toBe(4)
})

it('has so many places in lists, and gives them back', async () => {
  const { watch } = createWorld()
  const leaves = await Promise.all(
    Array.from({ length: 500 }, (_, index) => watch([], `category ${index}`)),
  )
  const one = watch(['a'])
  await expect(one).rejects.toMatchObject({ code: Code.ResourceExhausted })
  await watch([], 'category 7')
  leaves[3]?.()
  await watch(['a'])
})
