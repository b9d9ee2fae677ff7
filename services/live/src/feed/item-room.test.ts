import { expect, it } from 'vitest'
import type { Burst } from '../streams/frame.ts'
import { ItemRoom } from './item-room.ts'
import { RecordingViewer } from '../streams/recording-viewer.ts'
import { type ChangeKind, createAuction, itemId } from './test-auction.ts'
import { createTurns } from './turns.ts'

/** A room on an item that takes bids, with a clock that the test moves. */
function createWorld(unitsPerTurn = Infinity) {
  const auction = createAuction()
  auction.change('open')
  let nowMs = 1_000_000
  const due: (() => void)[] = []
  const turns = createTurns({ unitsPerTurn, nextTurn: (run) => void due.push(run) })
  const room = new ItemRoom({ read: async () => auction.item(), now: () => nowMs, turns })
  const receive = (kind: ChangeKind, userId?: string) => {
    for (const event of auction.change(kind, userId)) room.receive(event)
  }
  const enter = async (userId = '', after?: bigint) => {
    const viewer = new RecordingViewer(userId)
    await room.enter(viewer.open, after)
    return viewer
  }
  const cases = (viewer: RecordingViewer) => {
    expect(viewer.complaints).toEqual([])
    return viewer.messages.map(({ event }) => event.case)
  }
  const turn = () => due.splice(0).forEach((run) => run())
  return { room, receive, enter, cases, turn, pass: (ms: number) => (nowMs += ms) }
}

it('sends the events of a batch as one burst', async () => {
  const { room, receive, enter, cases } = createWorld()
  const viewer = await enter()
  for (const kind of ['bid', 'extending bid'] as const) receive(kind)
  expect(cases(viewer)).toEqual(['snapshot'])
  room.flush()
  expect(cases(viewer)).toEqual(['snapshot', 'bidPlaced', 'bidPlaced', 'endMoved'])
})

it('sends the latest state when a batch has more than can be sent to so many', async () => {
  const { room, receive, enter, cases } = createWorld()
  const viewers = await Promise.all(Array.from({ length: 101 }, () => enter()))
  for (let count = 0; count < 1_000; count += 1) receive('bid')
  room.flush()
  for (const viewer of viewers) {
    expect(cases(viewer)).toEqual(['snapshot', 'snapshot'])
    expect(viewer.seen?.sequence).toBe(1_000n)
  }
})

it('tells again what a client may have missed, and nothing else', async () => {
  const { room, receive, enter, cases } = createWorld()
  await enter()
  for (const kind of ['bid', 'extending bid', 'bid'] as const) receive(kind)
  room.flush()
  const resume = async (after: bigint) => {
    const sent: (string | undefined)[] = []
    const send = ({ frames }: Burst) =>
      void sent.push(...frames.map((frame) => caseOf(frame.messageFor(''))))
    const nothing = () => undefined
    await room.enter(() => ({ userId: '', units: 1, send, tick: nothing, end: nothing }), after)
    return sent
  }
  expect(await resume(3n)).toEqual(['viewerCount'])
  expect(await resume(2n)).toEqual(['endMoved', 'bidPlaced', 'viewerCount'])
  expect(await resume(1n)).toEqual(['bidPlaced', 'endMoved', 'bidPlaced', 'viewerCount'])
  // What was there when the room opened was not seen from here.
  expect(await resume(0n)).toEqual(['snapshot'])
  // Whether this was seen cannot be said: it belongs to no bid.
  receive('extend')
  room.flush()
  expect(await resume(3n)).toEqual(['snapshot'])
  expect(await resume(2n)).toEqual(['endMoved', 'bidPlaced', 'endMoved', 'viewerCount'])
  receive('end')
  room.flush()
  expect(await resume(2n)).toEqual(['endMoved', 'bidPlaced', 'endMoved', 'ended', 'viewerCount'])
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
  const { room, receive, enter } = createWorld()
  const [ann, bob] = [await enter('ann'), await enter('bob')]
  for (const userId of ['ann', 'bob', 'bob']) {
    receive('bid', userId)
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
  expect(room.sendCompany()).toBe(true)
  room.setViewerCount(2)
  expect(room.sendCompany()).toBe(false)
  pass(500)
  expect(room.sendCompany()).toBe(true)
  expect(cases(viewer)).toEqual(['snapshot', 'viewerCount', 'viewerCount'])
  for (let count = 0; count < 1_999; count += 1) await enter()
  room.setViewerCount(2_000)
  pass(999)
  expect(room.sendCompany()).toBe(false)
  pass(1)
  expect(room.sendCompany()).toBe(true)
})

const said = (ms: number, text: string) => ({
  id: `${ms}-0`,
  itemId,
  userId: 'bob',
  text,
  sentAtMs: ms,
})

it('shows chat in its place among the changes', async () => {
  const { room, receive, enter } = createWorld()
  const viewer = await enter()
  receive('bid')
  room.flush()
  room.say(said(5, 'hello'))
  room.sendCompany()
  const last = viewer.messages.at(-1)
  expect(last?.sequence).toBe(1n)
  expect(last?.event.case === 'chatMessage' && last.event.value.text).toBe('hello')
})

it('tells who comes back how many viewers there are, though nothing else has happened', async () => {
  const { room, receive, enter } = createWorld()
  await enter()
  receive('bid')
  room.flush()
  room.setViewerCount(2)
  room.sendCompany()
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
  await room.enter(() => ({ userId: '', units: 1, send, tick: nothing, end: nothing }), after)
  return counts
}

it('a newcomer who was told a number that was taken back at once is told the old one again', async () => {
  const { room, enter, pass } = createWorld()
  await enter()
  room.setViewerCount(2)
  room.sendCompany()
  room.setViewerCount(3)
  const newcomer = await enter()
  room.setViewerCount(2)
  pass(10_000)
  room.sendCompany()
  const last = newcomer.messages.at(-1)?.event
  expect(last).toMatchObject({ case: 'viewerCount', value: { viewers: 2n } })
})

it('gathers chat, shows messages together, and of very many the latest', async () => {
  const { room, enter, cases, pass } = createWorld()
  const viewer = await enter()
  const texts = () =>
    viewer.messages.flatMap(({ event }) => (event.case === 'chatMessage' ? event.value.text : []))
  room.say(said(1, 'first'))
  expect([texts(), room.sendCompany(), texts()]).toEqual([[], true, ['first']])
  for (let count = 0; count < 1_000; count += 1) room.say(said(count, `${count}`))
  pass(99)
  expect([room.sendCompany(), texts()]).toEqual([false, ['first']])
  pass(1)
  expect(room.sendCompany()).toBe(true)
  expect(texts()).toEqual(['first', ...Array.from({ length: 50 }, (_, index) => `${950 + index}`)])
  for (let count = 0; count < 1_999; count += 1) await enter()
  room.say(said(2_000, 'to many'))
  pass(199)
  expect(room.sendCompany()).toBe(false)
  pass(1)
  expect([room.sendCompany(), cases(viewer).at(-1)]).toEqual([true, 'chatMessage'])
})

it('tells a viewer of the bid that opens an item: the opening, then the bid', async () => {
  const auction = createAuction()
  const room = new ItemRoom({
    read: async () => auction.item(),
    now: () => 0,
    turns: createTurns(),
  })
  const viewer = new RecordingViewer('')
  await room.enter(viewer.open, undefined)
  for (const event of auction.change('bid')) room.receive(event)
  room.flush()
  expect(viewer.messages.map(({ event, version }) => [event.case, version])).toEqual([
    ['snapshot', 1n],
    ['opened', 2n],
    ['bidPlaced', 3n],
  ])
  expect(viewer.seen?.currentHighestBid).toBe(1_000n)
})

it('reaches many viewers in several turns, each in order, also who has got the state meanwhile', async () => {
  const { room, receive, enter, cases, turn } = createWorld(10)
  const slow: RecordingViewer[] = []
  const entering = Array.from({ length: 30 }, async () => slow.push(await enter()))
  for (let count = 0; count < 40; count += 1) {
    turn()
    await Promise.resolve()
  }
  await Promise.all(entering)
  const [first, last] = [slow[0], slow.at(-1)]
  if (!first || !last) throw new Error('nobody came in')
  const goOn = async (): Promise<void> => {
    for (let count = 0; count < 40; count += 1) {
      turn()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  last.frozen = true
  receive('bid')
  room.flush()
  await goOn()
  // Under way to all, and not yet with the last.
  receive('bid')
  room.flush()
  last.thaw()
  expect(last.seen?.sequence).toBe(2n)
  receive('bid')
  room.flush()
  const newcomer = new RecordingViewer('')
  const coming = room.enter(newcomer.open, undefined)
  await goOn()
  await coming
  expect(cases(last)).toEqual(['snapshot', 'snapshot', 'bidPlaced'])
  expect(cases(first)).toEqual(['snapshot', 'bidPlaced', 'bidPlaced', 'bidPlaced'])
  for (const viewer of [...slow, newcomer]) {
    expect([viewer.seen?.sequence, viewer.complaints]).toEqual([3n, []])
  }
})
