import { expect, it } from 'vitest'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Burst } from './frame.ts'
import { ItemRoom } from './item-room.ts'
import { type ChangeKind, commit, itemId, newItem, RecordingViewer } from './test-world.ts'

/** A room on an item that takes bids, with a clock that the test moves. */
function createWorld() {
  let item: Item = commit(newItem(), 'open', '')?.item ?? newItem()
  let nowMs = 1_000_000
  const room = new ItemRoom({ read: async () => item, now: () => nowMs })
  const change = (kind: ChangeKind, userId = 'ann') => {
    const committed = commit(item, kind, userId)
    if (!committed) throw new Error(`${kind} is not possible`)
    item = committed.item
    return committed.event
  }
  const enter = async (userId = '', after?: bigint) => {
    const viewer = new RecordingViewer(userId)
    await room.enter(viewer.open, after)
    return viewer
  }
  const cases = (viewer: RecordingViewer) => viewer.messages.map(({ event }) => event.case)
  return { room, change, enter, cases, pass: (ms: number) => (nowMs += ms) }
}

it('sends the events of a batch as one burst', async () => {
  const { room, change, enter, cases } = createWorld()
  const viewer = await enter()
  for (const event of [change('bid'), change('extending bid')]) room.receive(event)
  expect(cases(viewer)).toEqual(['snapshot'])
  room.flush()
  expect(cases(viewer)).toEqual(['snapshot', 'bidPlaced', 'bidPlaced', 'endMoved'])
})

it('sends the latest state when a batch has more than can be sent to so many', async () => {
  const { room, change, enter, cases } = createWorld()
  const viewers = await Promise.all(Array.from({ length: 101 }, () => enter()))
  for (let count = 0; count < 1_000; count += 1) room.receive(change('bid'))
  room.flush()
  for (const viewer of viewers) {
    expect(cases(viewer)).toEqual(['snapshot', 'snapshot'])
    expect(viewer.seen?.sequence).toBe(1_000n)
  }
})

it('tells again what a client may have missed, and nothing else', async () => {
  const { room, change, enter, cases } = createWorld()
  await enter()
  for (const kind of ['bid', 'extending bid', 'bid'] as const) room.receive(change(kind))
  room.flush()
  const resume = async (after: bigint) => {
    const sent: (string | undefined)[] = []
    const send = ({ frames }: Burst) =>
      void sent.push(...frames.map((frame) => caseOf(frame.messageFor(''))))
    const nothing = () => undefined
    await room.enter(() => ({ userId: '', send, tick: nothing, end: nothing }), after)
    return sent
  }
  expect(await resume(3n)).toEqual(['viewerCount'])
  expect(await resume(2n)).toEqual(['endMoved', 'bidPlaced', 'viewerCount'])
  expect(await resume(1n)).toEqual(['bidPlaced', 'endMoved', 'bidPlaced', 'viewerCount'])
  // What was there when the room opened was not seen from here.
  expect(await resume(0n)).toEqual(['snapshot'])
  room.receive(change('end'))
  room.flush()
  expect(await resume(2n)).toEqual(['endMoved', 'bidPlaced', 'ended', 'viewerCount'])
  // Whether the end was seen cannot be said.
  expect(await resume(3n)).toEqual(['snapshot'])
  expect(cases(await enter())).toEqual(['snapshot'])

  function caseOf(message: object): string | undefined {
    return 'event' in message ? (message.event as { case?: string }).case : undefined
  }
})

it('answers a sequence the item has not reached with the state', async () => {
  const { enter, cases } = createWorld()
  expect(cases(await enter('', 1n))).toEqual(['snapshot'])
  expect(cases(await enter('', 2n ** 63n - 1n))).toEqual(['snapshot'])
})

it('tells the leader, and whoever lost the lead', async () => {
  const { room, change, enter } = createWorld()
  const [ann, bob] = [await enter('ann'), await enter('bob')]
  for (const userId of ['ann', 'bob', 'bob']) {
    room.receive(change('bid', userId))
    room.flush()
  }
  const flags = (viewer: RecordingViewer) =>
    viewer.messages.map(({ youAreWinning, youWereOutbid }) => [youAreWinning, youWereOutbid])
  const [winning, outbid, neither] = [
    [true, false],
    [false, true],
    [false, false],
  ]
  expect(flags(ann)).toEqual([neither, winning, outbid, neither])
  expect(flags(bob)).toEqual([neither, neither, winning, winning])
})

it('counts viewers in small rooms at once, and seldom in large ones', async () => {
  const { room, enter, cases, pass } = createWorld()
  const viewer = await enter()
  room.setViewerCount(1)
  expect(room.sendViewerCount()).toBe(true)
  room.setViewerCount(2)
  expect(room.sendViewerCount()).toBe(false)
  pass(500)
  expect(room.sendViewerCount()).toBe(true)
  expect(cases(viewer)).toEqual(['snapshot', 'viewerCount', 'viewerCount'])
  for (let count = 0; count < 1_999; count += 1) await enter()
  room.setViewerCount(2_000)
  pass(999)
  expect(room.sendViewerCount()).toBe(false)
  pass(1)
  expect(room.sendViewerCount()).toBe(true)
})

it('shows chat in its place among the changes', async () => {
  const { room, change, enter } = createWorld()
  const viewer = await enter()
  room.receive(change('bid'))
  room.flush()
  room.say({ id: '5-0', itemId, userId: 'bob', text: 'hello', sentAtMs: 5 })
  const last = viewer.messages.at(-1)
  expect(last?.sequence).toBe(1n)
  expect(last?.event.case === 'chatMessage' && last.event.value.text).toBe('hello')
})

it('tells who comes back how many viewers there are, though nothing else has happened', async () => {
  const { room, change, enter } = createWorld()
  await enter()
  room.receive(change('bid'))
  room.flush()
  room.setViewerCount(2)
  room.sendViewerCount()
  const back = await enterAgain(room, 1n)
  expect(back).toContain(2n)
})

async function enterAgain(room: ItemRoom, after: bigint): Promise<(bigint | undefined)[]> {
  const counts: (bigint | undefined)[] = []
  const send = ({ frames }: Burst) => {
    for (const frame of frames) {
      const message = frame.messageFor('')
      if (message.$typeName !== 'live.v1.WatchItemResponse') continue
      const { event } = message
      if (event.case === 'viewerCount') counts.push(event.value.viewers)
      if (event.case === 'snapshot') counts.push(event.value.viewerCount)
    }
  }
  const nothing = () => undefined
  await room.enter(() => ({ userId: '', send, tick: nothing, end: nothing }), after)
  return counts
}

it('a newcomer who was told a number that was taken back at once is told the old one again', async () => {
  const { room, enter, pass } = createWorld()
  await enter()
  room.setViewerCount(2)
  room.sendViewerCount()
  room.setViewerCount(3)
  const newcomer = await enter()
  room.setViewerCount(2)
  pass(10_000)
  room.sendViewerCount()
  const last = newcomer.messages.at(-1)?.event
  expect(last).toMatchObject({ case: 'viewerCount', value: { viewers: 2n } })
})
