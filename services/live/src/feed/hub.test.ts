/** Coming and going: rooms, lists, limits, and the viewers the library writes for. */
import { create } from '@bufbuild/protobuf'
import { type Item, ItemSchema, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  BidPlacedSchema,
  ItemCreatedSchema,
  ItemEndedSchema,
} from '@bidmesh/gen/events/v1/events_pb.ts'
import type { WatchItemsResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { Code } from '@connectrpc/connect'
import { expect, it, vi } from 'vitest'
import type { StreamMessage } from '../streams/frame.ts'
import { Hub, type HubOptions } from './hub.ts'
import { createMailboxViewer } from '../streams/mailbox-viewer.ts'
import { RecordingViewer } from '../streams/recording-viewer.ts'
import { createTurns } from './turns.ts'
import type { OpenViewer, ViewerEvents } from '../streams/viewer.ts'

const all = { itemIds: [], category: '', sellerId: '' }

function createWorld(ids: readonly string[], changes: Partial<HubOptions> = {}) {
  const items = new Map(ids.map((id) => [id, newItem(id)]))
  const calls = { opened: vi.fn(), closed: vi.fn(), joined: vi.fn(), left: vi.fn() }
  const hub = new Hub({
    readItems: async (asked) => asked.flatMap((id) => items.get(id) ?? []),
    findItems: async (_, limit) => [...items.keys()].slice(0, limit),
    readVersions: async () => [],
    now: () => 0,
    viewersMax: 3,
    onOpened: calls.opened,
    onClosed: calls.closed,
    onJoined: calls.joined,
    onLeft: calls.left,
    turns: createTurns({ unitsPerTurn: Infinity }),
    ...changes,
  })
  const bid = (itemId: string, amount: bigint) => {
    const item = items.get(itemId) ?? newItem(itemId)
    const next = {
      ...item,
      version: item.version + 1n,
      sequence: item.sequence + 1n,
      currentHighestBid: amount,
    }
    items.set(itemId, next)
    const { version, sequence } = next
    const message = create(BidPlacedSchema, { itemId, amount, version, sequence })
    hub.receive([{ type: 'bid.placed', message }])
  }
  const put = (item: Item) => {
    items.set(item.id, item)
    const { id: itemId, category, sellerId, version } = item
    const message = create(ItemCreatedSchema, { itemId, category, sellerId, version })
    hub.receive([{ type: 'item.created', message }])
  }
  return { hub, calls, bid, put }
}

function newItem(id: string, changes: Partial<Item> = {}): Item {
  const status = ItemStatus.ACTIVE
  return { ...create(ItemSchema, { id, status, version: 1n, category: 'lamps' }), ...changes }
}

const quiet: ViewerEvents = { fellBehind: () => undefined, dropped: () => undefined }
const anything = (message: StreamMessage): message is StreamMessage =>
  message.$typeName !== undefined

/** Opens a mailbox, and reads what is in it. */
function mailbox(events = quiet) {
  let viewer: ReturnType<typeof createMailboxViewer<StreamMessage>> | undefined
  const open: OpenViewer = (source) =>
    (viewer = createMailboxViewer({ userId: '', reader: '', source, events, is: anything }))
  const stop = new AbortController()
  const read = async (count: number) => {
    const messages: StreamMessage[] = []
    while (messages.length < count) {
      for await (const message of viewer?.messages(stop.signal) ?? []) {
        messages.push(message)
        if (messages.length === count) break
      }
    }
    return messages
  }
  return { open, read, viewer: () => viewer }
}

/** What a list message says: item and price. */
function prices(message: StreamMessage | undefined) {
  const { updates } = message as WatchItemsResponse
  return updates.map(({ itemId, currentHighestBid }) => [itemId, currentHighestBid])
}

it('keeps a room for those who come back, and closes it after a while', async () => {
  const { hub, calls } = createWorld(['a'])
  const leave = await hub.watchItem(new RecordingViewer('ann').open, 'a')
  leave()
  leave()
  expect(calls.left.mock.calls).toEqual([['a', 'ann']])
  hub.sweep(30_000)
  expect([hub.roomCount, calls.closed.mock.calls.length]).toEqual([1, 0])
  hub.sweep(30_001)
  expect([hub.roomCount, calls.closed.mock.calls.length]).toEqual([0, 1])
})

it('forgets what does not exist at once', async () => {
  const { hub } = createWorld([])
  const watching = hub.watchItem(new RecordingViewer('').open, 'nothing')
  await expect(watching).rejects.toMatchObject({ code: Code.NotFound })
  expect([hub.roomCount, hub.viewers.size()]).toEqual([0, 0])
})

it('takes no more viewers than it may have', async () => {
  const { hub } = createWorld(['a'])
  const enter = () => hub.watchItem(new RecordingViewer('').open, 'a')
  const [leave] = await Promise.all([enter(), enter(), enter()])
  await expect(enter()).rejects.toMatchObject({ code: Code.ResourceExhausted })
  await expect(hub.watchItems(mailbox().open, all)).rejects.toMatchObject({
    code: Code.ResourceExhausted,
  })
  leave()
  await enter()
})

it('updates a list with the latest of each item, and closes its rooms after it', async () => {
  const { hub, bid } = createWorld(['a', 'b', 'c'])
  const { open, read } = mailbox()
  const leave = await hub.watchItems(open, all)
  const [first] = await read(1)
  expect(prices(first)).toEqual([
    ['a', 0n],
    ['b', 0n],
    ['c', 0n],
  ])
  bid('b', 100n)
  bid('a', 200n)
  bid('b', 300n)
  const [changed] = await read(1)
  expect(prices(changed)).toEqual([
    ['b', 300n],
    ['a', 200n],
  ])
  leave()
  hub.sweep(60_000)
  expect(hub.roomCount).toBe(0)
})

it('adds new items to the lists they belong to', async () => {
  const { hub, put } = createWorld(['a'])
  const lamps = mailbox()
  await hub.watchItems(lamps.open, { ...all, category: 'lamps' })
  const one = mailbox()
  await hub.watchItems(one.open, { ...all, itemIds: ['a'] })
  await Promise.all([lamps.read(1), one.read(1)])
  put(newItem('chair', { category: 'chairs' }))
  put(newItem('lamp'))
  const [added] = await lamps.read(1)
  expect(prices(added)).toEqual([['lamp', 0n]])
  expect(hub.roomCount).toBe(2)
})

it('shows 500 items at most, open ones first', async () => {
  const ids = Array.from({ length: 600 }, (_, index) => `item ${index}`)
  const { hub, put } = createWorld(ids)
  const { open, read } = mailbox()
  await hub.watchItems(open, all)
  const [first] = await read(1)
  expect(prices(first)).toHaveLength(500)
  put(newItem('late'))
  await vi.waitFor(() => {
    hub.sweep(60_000)
    expect(hub.roomCount).toBe(500)
  })
  const message = create(ItemEndedSchema, { itemId: 'item 7', version: 2n })
  hub.receive([{ type: 'item.ended', message }])
  expect(prices((await read(1))[0])).toEqual([['item 7', 0n]])
  put(newItem('later'))
  expect(prices((await read(1))[0])).toEqual([['later', 0n]])
})

it('gives a slow reader of the library’s streams the latest state', async () => {
  const { hub, bid } = createWorld(['a'])
  const fellBehind = vi.fn()
  const { open, read } = mailbox({ ...quiet, fellBehind })
  await hub.watchItem(open, 'a')
  for (let amount = 1n; amount <= 300n; amount += 1n) bid('a', amount)
  expect(fellBehind).toHaveBeenCalledTimes(1)
  const [only] = await read(1)
  expect(only).toMatchObject({ sequence: 300n, event: { case: 'snapshot' } })
  bid('a', 301n)
  expect((await read(1))[0]).toMatchObject({ sequence: 301n, event: { case: 'bidPlaced' } })
})

it('drops a reader of the library’s streams that takes nothing', async () => {
  const { hub, bid } = createWorld(['a'])
  const dropped = vi.fn()
  const { open, viewer } = mailbox({ ...quiet, dropped })
  await hub.watchItem(open, 'a')
  for (let amount = 1n; amount <= 300n; amount += 1n) bid('a', amount)
  for (let slot = 0; slot < 80; slot += 1) hub.turn(Date.now() + 31_000)
  expect(dropped).toHaveBeenCalledTimes(1)
  const messages = viewer()?.messages(new AbortController().signal)
  await expect(messages?.next()).rejects.toMatchObject({ code: Code.ResourceExhausted })
})
