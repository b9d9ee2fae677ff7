/**
 * Whatever a server does to streams, wherever connections are cut: who watches is told every bid once and in order, and
 * nothing twice.
 */
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import { LiveService, type WatchItemResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBidmeshClient } from './bidmesh-client.ts'
import type { WatchOptions } from './resumed-stream.ts'

type Told = { sequence: bigint; version: bigint; event: Change }
type Change =
  | { case: 'bidPlaced'; value: { bid: { id: string; sequence: bigint } } }
  | { case: 'endMoved'; value: { extensionCount: number; reason: ExtensionReason } }
  | { case: 'opened'; value: object }
  | { case: 'viewerCount'; value: object }

/** What happens before a message is sent, or after the last there is. */
type Action =
  | 'bid'
  | 'late bid'
  | 'end moved by hand'
  | 'company'
  /** The connection is lost, with this error; `end` has none. */
  | 'cut'
  | 'unavailable'
  | 'end'
  | 'protocol error'
  /** What has been told is not at hand any more, and who comes back gets a snapshot. */
  | 'forget'
  /** A server's fault that its promise rules out. */
  | 'lose a bid'
  /** Nobody is let in. */
  | 'refuse'
  | 'wait'

const actions = fc.array(
  fc.constantFrom<Action>(
    ...(['bid', 'bid', 'late bid', 'end moved by hand', 'company', 'cut', 'unavailable'] as const),
    ...(['end', 'protocol error', 'forget', 'lose a bid', 'refuse', 'wait'] as const),
  ),
  { minLength: 5, maxLength: 60 },
)

/** An item's changes, and streams of them that end as they are told to. */
class Auction {
  readonly changes: Told[] = []
  sequence = 0n
  version = 1n
  extensions = 0
  floor = 0n
  refusals = 0
  readonly cuts: (Action | undefined)[] = []
  #wake = Promise.withResolvers<void>()

  do(action: Action): void {
    if (action === 'bid' || action === 'late bid') this.#bid(action === 'late bid')
    else if (action === 'end moved by hand') {
      this.version += 1n
      this.#tell({ case: 'endMoved', value: { extensionCount: 0, reason: ExtensionReason.SELLER } })
    } else if (action === 'company') this.#tell({ case: 'viewerCount', value: {} })
    else if (action === 'forget') this.floor = this.sequence
    else if (action === 'lose a bid') {
      this.#bid(false)
      this.changes.pop()
    } else if (action === 'refuse') this.refusals += 1
    else if (action !== 'wait') this.cuts.push(action)
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }

  #bid(late: boolean): void {
    this.sequence += 1n
    this.version += 1n
    const bid = { id: `bid-${this.sequence}`, sequence: this.sequence }
    this.#tell({ case: 'bidPlaced', value: { bid } })
    if (!late) return
    this.extensions += 1
    const value = { extensionCount: this.extensions, reason: ExtensionReason.LATE_BID }
    this.#tell({ case: 'endMoved', value })
  }

  #tell(event: Change): void {
    this.changes.push({ sequence: this.sequence, version: this.version, event })
  }

  async *watch(after: bigint | undefined, signal: AbortSignal) {
    if (this.refusals > 0) {
      this.refusals -= 1
      throw new ConnectError('no', Code.Unavailable)
    }
    let next = this.changes.length
    const missed = this.missed(after)
    if (missed) yield* missed
    else {
      const { sequence, version, extensions: extensionCount } = this
      const item = { sequence, version, extensionCount }
      yield { sequence, version, event: { case: 'snapshot' as const, value: { item } } }
    }
    while (!signal.aborted) {
      const cut = this.cuts.shift()
      if (cut === 'end') return
      if (cut === 'unavailable') throw new ConnectError('stops', Code.Unavailable)
      if (cut === 'protocol error')
        throw new ConnectError('protocol error: cut', Code.InvalidArgument)
      if (cut) throw new ConnectError('gone', Code.Unknown)
      const told = this.changes[next]
      if (told) {
        next += 1
        yield told
      } else await this.#wake.promise
    }
  }

  /** As services/live: the move of the end by the very bid is told again. */
  missed(after: bigint | undefined): Told[] | undefined {
    if (after === undefined || after <= this.floor || after > this.sequence) return undefined
    return this.changes.filter(({ sequence, event }) => {
      if (event.case === 'viewerCount') return false
      return sequence > after || (sequence === after && event.case === 'endMoved')
    })
  }

  bids(until: bigint) {
    const count = Number(until)
    return Array.from({ length: count }, (_, index) => ({
      id: `bid-${index + 1}`,
      sequence: BigInt(index + 1),
    }))
  }
}

function clientOf(auction: Auction) {
  const transport = createRouterTransport((router) => {
    router.service(LiveService, {
      watchItem: (request, { signal }) => auction.watch(request.afterSequence, signal),
    })
    router.service(BidService, {
      // Pages of three, newest first.
      getItemBids({ pageToken }) {
        const until = pageToken === '' ? auction.sequence : BigInt(pageToken)
        const bids = auction.bids(until).toReversed().slice(0, 3)
        const last = bids.at(-1)?.sequence ?? 1n
        return { bids, nextPageToken: last > 1n ? String(last - 1n) : '' }
      },
    })
  })
  return createBidmeshClient({ baseUrl: '', transport })
}

/** Reads to the end that `stop` makes. */
function read<Message>(open: (options: WatchOptions) => AsyncIterable<Message>) {
  const stop = new AbortController()
  const messages: Message[] = []
  // Without any pause between two openings.
  const stream = open({ signal: stop.signal, random: () => 0 })
  const done = (async () => {
    for await (const message of stream) messages.push(message)
  })()
  return {
    messages,
    end: async () => {
      stop.abort()
      await done
    },
  }
}

async function eventually(reached: () => boolean): Promise<void> {
  for (let turns = 0; !reached(); turns += 1) {
    if (turns > 2_000) throw new Error('it is not told')
    await new Promise((done) => setImmediate(done))
  }
}

const sequencesOf = (messages: readonly WatchItemResponse[], kind: string) =>
  messages.flatMap(({ event, sequence }) => (event.case === kind ? [sequence] : []))

/** Each bid is one after what was told before, snapshots included; nothing else comes again. */
function checkMessages(messages: readonly WatchItemResponse[]): void {
  let [last, version, extensions] = [-1n, -1n, -1]
  for (const { event, ...message } of messages) {
    if (event.case === 'bidPlaced') expect(message.sequence).toBe(last + 1n)
    if (event.case === 'bidPlaced' || event.case === 'snapshot') {
      last = message.sequence
      version = message.version
    }
    if (event.case === 'snapshot') extensions = event.value.item?.extensionCount ?? 0
    if (event.case !== 'endMoved') continue
    if (event.value.reason === ExtensionReason.LATE_BID) {
      expect(event.value.extensionCount).toBeGreaterThan(extensions)
      extensions = event.value.extensionCount
    } else {
      expect(message.version).toBeGreaterThan(version)
      version = message.version
    }
  }
}

test('every bid is told once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(actions, async (list) => {
      const auction = new Auction()
      const client = clientOf(auction)
      const request = { itemId: 'item' }
      const item = read((options) => client.watchItem(request, options))
      const bids = read((options) => client.watchBids({ ...request, afterSequence: 0n }, options))
      for (const action of list) {
        auction.do(action)
        // Some of what follows happens while streams are being opened.
        if (action === 'wait') await new Promise((done) => setImmediate(done))
      }
      auction.do('bid')
      const final = auction.sequence
      await eventually(() => bids.messages.at(-1)?.sequence === final)
      await eventually(() => item.messages.some(({ sequence }) => sequence === final))
      await Promise.all([item.end(), bids.end()])
      expect(bids.messages.map(({ id }) => id)).toEqual(auction.bids(final).map(({ id }) => id))
      checkMessages(item.messages)
      expect(sequencesOf(item.messages, 'snapshot').length).toBeGreaterThan(0)
    }),
    { numRuns: 300 },
  )
}, 60_000)

test('what lasts ends the stream with its error', async () => {
  for (const code of [Code.NotFound, Code.InvalidArgument, Code.Unauthenticated]) {
    const transport = createRouterTransport((router) =>
      router.service(LiveService, {
        // oxlint-disable-next-line require-yield -- it never comes to a message
        async *watchItem() {
          throw new ConnectError('for good', code)
        },
      }),
    )
    const client = createBidmeshClient({ baseUrl: '', transport })
    await expect(client.watchItem({ itemId: 'item' }).next()).rejects.toMatchObject({ code })
  }
})

test('pauses grow, and are different for everybody', async () => {
  let opened = 0
  const transport = createRouterTransport((router) =>
    router.service(LiveService, {
      // oxlint-disable-next-line require-yield -- it never comes to a message
      async *watchItem() {
        opened += 1
        throw new ConnectError('away', Code.Unavailable)
      },
    }),
  )
  const asked: number[] = []
  const random = () => {
    asked.push(opened)
    return 0.05
  }
  const client = createBidmeshClient({ baseUrl: '', transport })
  const stop = new AbortController()
  const startMs = performance.now()
  const watching = client.watchItem({ itemId: 'item' }, { signal: stop.signal, random }).next()
  // 15, 30, 60, 120 ms …
  while (opened < 5) await new Promise((done) => setTimeout(done, 5))
  expect(performance.now() - startMs).toBeGreaterThan(220)
  stop.abort()
  expect(await watching).toMatchObject({ done: true })
  expect(asked.slice(0, 4)).toEqual([1, 2, 3, 4])
})
