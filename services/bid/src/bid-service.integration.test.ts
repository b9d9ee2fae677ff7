/**
 * Every procedure of BidService through a real server, as JSON over HTTP/1.1 and as gRPC over h2c: the
 * same answers, the same typed errors, nothing a client sends ends in an internal error.
 */
import { randomUUID } from 'node:crypto'
import { durationFromMs, timestampDate, timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidRejectionReason as Reason,
  BidRejectionSchema,
  BidService,
  type Item,
  ItemStatus,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { startTcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { migrationsDirectory, startAuctioneerComponent, startBid } from './bid-component.ts'

/** Lines of the log. */
const logged: string[] = []

let database: TestDatabase
let server: Server
const clients: Record<string, Client<typeof BidService>> = {}
/** Where a test does not care which. */
let bids: Client<typeof BidService>

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const options = {
    databaseUrl: database.url,
    redisUrl: inject('redisUrl'),
    log: createLog({
      name: 'test',
      level: 'info',
      destination: { write: (line) => logged.push(line) },
    }),
    signal: new AbortController().signal,
  }
  const components = [
    await startBid({ ...options, lanes: 2 }),
    await startAuctioneerComponent(options),
  ]
  server = await startTestServer(components)
  const baseUrl = server.url
  bids = createClient(
    BidService,
    createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
  )
  clients['JSON over HTTP/1.1'] = bids
  clients['gRPC over h2c'] = createClient(BidService, createGrpcTransport({ baseUrl }))
})

afterAll(async () => {
  await server.stop()
  await database.drop()
})

const inAnHour = () => timestampFromMs(Date.now() + 3_600_000)

async function putItem(changes: Parameters<typeof bids.createItem>[0] = {}): Promise<Item> {
  const { item } = await bids.createItem({
    title: 'Lamp',
    startPrice: 100n,
    endAt: inAnHour(),
    sellerId: 'seller',
    ...changes,
  })
  if (!item) throw new Error('no item came back')
  return item
}

async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof ConnectError)) throw error
  return error
}

function rejectionOf(error: ConnectError) {
  return error.findDetails(BidRejectionSchema)[0]
}

describe.each(['JSON over HTTP/1.1', 'gRPC over h2c'])('%s', (protocol) => {
  /** Keys are unique per bidder: each protocol has its own. */
  const idempotencyKey = `key of ${protocol}`
  const client = () => clients[protocol] as Client<typeof BidService>

  it('takes an item from creation through bids to its end', async () => {
    const { item } = await client().createItem({
      title: 'Desk',
      description: 'Walnut',
      startPrice: 1_000n,
      endAt: timestampFromMs(Date.now() + 3_000),
      images: ['https://example.com/desk.jpg'],
      category: 'furniture',
      sellerId: 'sal',
      currency: 'EUR',
      minIncrement: 10n,
      softClose: { maxExtensions: 0 },
    })
    const id = item?.id ?? ''
    expect(item).toMatchObject({
      status: ItemStatus.ACTIVE,
      minimumNextBid: 1_000n,
      currency: 'EUR',
      images: ['https://example.com/desk.jpg'],
      softClose: { maxExtensions: 0, window: { seconds: 30n } },
    })
    const placed = await client().placeBid({
      itemId: id.toUpperCase(),
      amount: 1_000n,
      userId: 'ann',
    })
    expect(placed).toMatchObject({
      bid: { itemId: id, userId: 'ann', amount: 1_000n, sequence: 1n },
      currentHighestBid: 1_000n,
      minimumNextBid: 1_010n,
      extended: false,
    })
    const { item: bidOn } = await client().getItem({ id })
    expect(bidOn).toMatchObject({ currentHighestBid: 1_000n, bidCount: 1n, highestBidderId: 'ann' })

    const closed = await eventually(async () => {
      const { item: now } = await client().getItem({ id })
      return now?.status === ItemStatus.ENDED && now
    })
    expect(closed).toMatchObject({
      outcome: ItemOutcome.SOLD,
      winnerId: 'ann',
      hammerPrice: 1_000n,
    })
    const error = await errorOf(client().placeBid({ itemId: id, amount: 5_000n, userId: 'bob' }))
    expect(error.code).toBe(Code.FailedPrecondition)
    expect(rejectionOf(error)?.reason).toBe(Reason.ENDED)
  })

  it('opens a scheduled item on time', async () => {
    const item = await putItem({ startAt: timestampFromMs(Date.now() + 1_500) })
    expect(item.status).toBe(ItemStatus.SCHEDULED)
    const early = await errorOf(client().placeBid({ itemId: item.id, amount: 100n, userId: 'a' }))
    expect(early.code).toBe(Code.FailedPrecondition)
    expect(rejectionOf(early)?.reason).toBe(Reason.NOT_STARTED)
    await eventually(async () => {
      const { item: now } = await client().getItem({ id: item.id })
      return now?.status === ItemStatus.ACTIVE
    })
    await client().placeBid({ itemId: item.id, amount: 100n, userId: 'a' })
  })

  it('says why a bid is rejected, and what would be enough', async () => {
    const item = await putItem()
    await client().placeBid({ itemId: item.id, amount: 200n, userId: 'ann', idempotencyKey })
    const cancelled = await putItem()
    await client().cancelItem({ id: cancelled.id, reason: 'broken', userId: 'seller' })
    const rejected = [
      [{ itemId: item.id, amount: 200n, userId: 'bob' }, Code.FailedPrecondition, Reason.TOO_LOW],
      [{ itemId: item.id, amount: 999n, userId: 'seller' }, Code.PermissionDenied, Reason.OWN_ITEM],
      [
        { itemId: item.id, amount: 300n, userId: 'ann', idempotencyKey },
        Code.AlreadyExists,
        Reason.KEY_REUSED,
      ],
      [
        { itemId: cancelled.id, amount: 500n, userId: 'bob' },
        Code.FailedPrecondition,
        Reason.CANCELLED,
      ],
      [{ itemId: randomUUID(), amount: 500n, userId: 'bob' }, Code.NotFound, Reason.ITEM_NOT_FOUND],
      [{ itemId: 'x', amount: 500n, userId: 'b' }, Code.InvalidArgument, Reason.INVALID_REQUEST],
      [{ itemId: item.id, amount: 500n }, Code.InvalidArgument, Reason.INVALID_REQUEST],
      [{ itemId: item.id, amount: 0n, userId: 'b' }, Code.InvalidArgument, Reason.INVALID_REQUEST],
      [{ itemId: item.id, amount: -1n, userId: 'b' }, Code.InvalidArgument, Reason.INVALID_REQUEST],
      [
        { itemId: item.id, amount: 2n ** 63n - 1n, userId: 'b' },
        Code.InvalidArgument,
        Reason.INVALID_REQUEST,
      ],
    ] as const
    for (const [request, code, reason] of rejected) {
      const error = await errorOf(client().placeBid(request))
      expect([Code[error.code], rejectionOf(error)?.reason]).toEqual([Code[code], reason])
    }
    const tooLow = await errorOf(
      client().placeBid({ itemId: item.id, amount: 201n, userId: 'bob' }),
    )
    expect(rejectionOf(tooLow)).toMatchObject({ currentHighestBid: 200n, minimumNextBid: 225n })
  })

  it('edits and cancels', async () => {
    const item = await putItem({ category: 'a', images: ['https://example.com/1.jpg'] })
    const { item: edited } = await client().updateItem({
      id: item.id,
      title: 'Better lamp',
      userId: 'seller',
    })
    expect(edited).toMatchObject({ title: 'Better lamp', category: 'a', images: item.images })
    expect((await client().getItem({ id: item.id })).item?.title).toBe('Better lamp')

    await client().placeBid({ itemId: item.id, amount: 100n, userId: 'ann' })
    const late = await errorOf(client().cancelItem({ id: item.id, userId: 'seller' }))
    expect(late.code).toBe(Code.FailedPrecondition)

    const other = await putItem()
    const { item: gone } = await client().cancelItem({
      id: other.id,
      reason: 'lost',
      userId: 'seller',
    })
    expect(gone).toMatchObject({ status: ItemStatus.CANCELLED, cancelReason: 'lost' })
    expect((await client().getItem({ id: other.id })).item).toEqual(gone)
    for (const call of [
      () => client().cancelItem({ id: other.id, userId: 'seller' }),
      () => client().updateItem({ id: other.id, title: 'x', userId: 'seller' }),
    ]) {
      expect((await errorOf(call())).code).toBe(Code.FailedPrecondition)
    }
    const missing = randomUUID()
    for (const call of [
      () => client().getItem({ id: missing }),
      () => client().updateItem({ id: missing, title: 'x', userId: 'seller' }),
      () => client().cancelItem({ id: missing, userId: 'seller' }),
      () => client().getItemBids({ itemId: missing }),
      () => client().listItemEvents({ itemId: missing }),
    ]) {
      expect((await errorOf(call())).code).toBe(Code.NotFound)
    }
  })

  it('logs a sample of what was rejected', async () => {
    const { id } = await putItem()
    await errorOf(client().placeBid({ itemId: id, amount: 1n, userId: 'ann' }))
    await errorOf(client().cancelItem({ id, userId: 'ann' }))
    const lines = logged.map((line): unknown => JSON.parse(line))
    const [bid, change] = [
      { event: 'bid_rejected' },
      { event: 'change_rejected', command: 'cancel' },
    ]
    expect(lines).toContainEqual(expect.objectContaining({ ...bid, reason: 'too_low', itemId: id }))
    expect(lines).toContainEqual(expect.objectContaining({ ...change, reason: 'not_seller' }))
  })

  it.each([
    ['somebody else', 'ann', Code.PermissionDenied],
    ['nobody', '', Code.InvalidArgument],
  ])('lets %s neither edit nor cancel an item', async (_who, userId, code) => {
    const item = await putItem()
    for (const call of [
      () => client().updateItem({ id: item.id, title: 'Mine now', userId }),
      () => client().cancelItem({ id: item.id, reason: 'a grudge', userId }),
    ]) {
      expect(Code[(await errorOf(call())).code]).toBe(Code[code])
    }
    expect((await client().getItem({ id: item.id })).item).toEqual(item)
  })

  it('makes one item of a CreateItem that is sent again', async () => {
    const request = {
      title: 'Lamp',
      startPrice: 100n,
      endAt: timestampFromMs(Date.now() + 2_000),
      softClose: { maxExtensions: 0 },
      sellerId: 'sue',
      idempotencyKey: `item ${idempotencyKey}`,
    }
    const made = await Promise.all([1, 2, 3, 4].map(() => client().createItem(request)))
    const id = made[0]?.item?.id ?? ''
    expect(new Set(made.map(({ item }) => item?.id))).toEqual(new Set([id]))
    const events = await database.sql`SELECT 1 FROM outbox WHERE item_id = ${id}`
    expect(events).toHaveLength(1)
    await client().placeBid({ itemId: id, amount: 100n, userId: 'ann' })
    await eventually(async () => {
      const { item } = await client().getItem({ id })
      expect(item?.status).toBe(ItemStatus.ENDED)
    })
    // As it is now, although its end is no longer in the future.
    const { item: again } = await client().createItem(request)
    expect(again).toMatchObject({ id, status: ItemStatus.ENDED, highestBidderId: 'ann' })
    const other = await errorOf(client().createItem({ ...request, startPrice: 200n }))
    expect(other.code).toBe(Code.AlreadyExists)
    const { item: hers } = await client().createItem({
      ...request,
      sellerId: `tom of ${protocol}`,
      endAt: inAnHour(),
    })
    expect(hers?.id).not.toBe(id)
  })

  it('repeats the answer of a bid that was placed under the key', async () => {
    const item = await putItem()
    const request = { itemId: item.id, amount: 100n, userId: 'cem', idempotencyKey }
    const first = await client().placeBid(request)
    await client().placeBid({ itemId: item.id, amount: 500n, userId: 'bob' })
    const second = await client().placeBid(request)
    expect(second.bid).toEqual(first.bid)
    expect(second.currentHighestBid).toBe(500n)
  })
})

describe('lists', () => {
  const seller = `seller-${randomUUID()}`

  async function pages<Row>(
    load: (pageToken: string) => Promise<{ rows: Row[]; nextPageToken: string }>,
  ): Promise<Row[]> {
    const all: Row[] = []
    let token = ''
    do {
      const { rows, nextPageToken } = await load(token)
      all.push(...rows)
      token = nextPageToken
    } while (token !== '')
    return all
  }

  it('page through items in every order, each item once', async () => {
    const made: Item[] = []
    for (const [n, price] of [300n, 100n, 200n, 100n, 500n].entries()) {
      const endAt = timestampFromMs(Date.now() + 3_600_000 + ((n * 7) % 5) * 60_000)
      made.push(await putItem({ sellerId: seller, startPrice: price, endAt }))
    }
    await bids.placeBid({ itemId: made[1]?.id ?? '', amount: 400n, userId: 'ann' })
    const listed = (orderBy: OrderBy) =>
      pages(async (pageToken) => {
        const page = await bids.listItems({ sellerId: seller, orderBy, pageSize: 2, pageToken })
        return { rows: page.items, nextPageToken: page.nextPageToken }
      })
    const newest = await listed(OrderBy.NEWEST)
    expect(newest.map((item) => item.id)).toEqual(made.map((item) => item.id).toReversed())
    const ending = (await listed(OrderBy.ENDING_SOON)).map((item) =>
      item.endAt ? timestampDate(item.endAt).getTime() : 0,
    )
    expect(ending).toEqual(ending.toSorted((a, b) => a - b))
    const price = (item: Item) => Number(item.currentHighestBid || item.startPrice)
    const rising = (await listed(OrderBy.PRICE_ASC)).map(price)
    expect(rising).toEqual([100, 200, 300, 400, 500])
    // An item bid on a moment ago may come twice in this order.
    const falling = new Set((await listed(OrderBy.PRICE_DESC)).map(price))
    expect([...falling]).toEqual(rising.toReversed())
    const own = await bids.listSellerItems({ sellerId: seller, pageSize: 100 })
    expect(own.items.map((item) => item.id)).toEqual(newest.map((item) => item.id))
  })

  it('filter by category, status and words', async () => {
    const category = `c-${randomUUID().slice(0, 8)}`
    const teapot = await putItem({ category, title: 'Blue teapot', description: 'Meissen, 1920' })
    const gone = await putItem({ category, title: 'Blue vase' })
    await bids.cancelItem({ id: gone.id, userId: 'seller' })
    const ids = async (filter: Parameters<typeof bids.listItems>[0]) =>
      (await bids.listItems({ category, ...filter })).items.map((item) => item.id)
    expect(await ids({})).toEqual([gone.id, teapot.id])
    expect(await ids({ status: ItemStatus.ACTIVE })).toEqual([teapot.id])
    expect(await ids({ query: 'blue meis' })).toEqual([teapot.id])
    expect(await ids({ query: "'); DROP TABLE items; --" })).toEqual([])
    expect(await ids({ query: ' \t ' })).toEqual([gone.id, teapot.id])
    expect(await ids({ query: '!!! & | <->' })).toEqual([])
  })

  it('page through bids, newest first', async () => {
    const item = await putItem({ minIncrement: 1n })
    const userId = `user-${randomUUID()}`
    for (let n = 0n; n < 5n; n += 1n) {
      await bids.placeBid({ itemId: item.id, amount: 100n + n, userId })
    }
    const ofItem = await pages(async (pageToken) => {
      const page = await bids.getItemBids({ itemId: item.id, pageSize: 2, pageToken })
      return { rows: page.bids, nextPageToken: page.nextPageToken }
    })
    expect(ofItem.map((bid) => bid.sequence)).toEqual([5n, 4n, 3n, 2n, 1n])
    const ofUser = await pages(async (pageToken) => {
      const page = await bids.listUserBids({ userId, pageSize: 3, pageToken })
      return { rows: page.bids, nextPageToken: page.nextPageToken }
    })
    expect(ofUser).toEqual(ofItem)
    expect((await bids.listUserBids({ userId: 'nobody' })).bids).toEqual([])
  })

  it('refuse page tokens of other lists and sizes out of range', async () => {
    const [one, two] = [await putItem({ minIncrement: 1n }), await putItem()]
    for (const amount of [100n, 101n]) {
      await bids.placeBid({ itemId: one.id, amount, userId: 'ann' })
    }
    const { nextPageToken } = await bids.getItemBids({ itemId: one.id, pageSize: 1 })
    expect(nextPageToken).not.toBe('')
    const [listToken] = [(await bids.listItems({ pageSize: 1 })).nextPageToken]
    for (const call of [
      () => bids.getItemBids({ itemId: two.id, pageToken: nextPageToken }),
      () => bids.listUserBids({ userId: 'ann', pageToken: nextPageToken }),
      () => bids.listItemEvents({ itemId: one.id, pageToken: nextPageToken }),
      () => bids.listItems({ pageToken: nextPageToken }),
      () => bids.listItems({ pageToken: listToken, category: 'other' }),
      () => bids.listItems({ pageToken: listToken, orderBy: OrderBy.PRICE_ASC }),
      () => bids.listItems({ pageToken: 'garbage' }),
      () => bids.listItems({ pageToken: Buffer.from('[1,{}]').toString('base64url') }),
      () => bids.listItems({ pageSize: -1 }),
      () => bids.listItems({ pageSize: 101 }),
    ]) {
      expect((await errorOf(call())).code).toBe(Code.InvalidArgument)
    }
  })
})

describe('an item that cannot be', () => {
  it.each([
    ['no title', { title: '' }],
    ['no seller', { sellerId: '' }],
    ['no price', { startPrice: 0n }],
    ['a price beyond 10^15', { startPrice: 10n ** 15n + 1n }],
    ['no end', { endAt: undefined }],
    ['an end in the past', { endAt: timestampFromMs(Date.now() - 1_000) }],
    ['an end before its start', { startAt: timestampFromMs(Date.now() + 7_200_000) }],
    ['an end in the year 9999', { endAt: timestampFromMs(Date.UTC(9_999, 1, 1)) }],
    ['a start in the year 1', { startAt: timestampFromMs(Date.UTC(1, 1, 1)) }],
    ['an unknown currency form', { currency: 'euro' }],
    ['a script as picture', { images: ['javascript:alert(1)'] }],
    ['a NUL in its text', { description: 'a\0b' }],
    ['a soft close of no time', { softClose: { window: durationFromMs(0) } }],
    ['a negative number of extensions', { softClose: { maxExtensions: -1 } }],
  ])('%s', async (_fault, changes) => {
    const call = bids.createItem({
      title: 'Lamp',
      startPrice: 100n,
      endAt: inAnHour(),
      sellerId: 'seller',
      ...changes,
    })
    const error = await errorOf(call)
    expect([Code[error.code], error.rawMessage]).toEqual([
      'InvalidArgument',
      expect.stringMatching(/\w/),
    ])
  })
})

describe('user ids', () => {
  it.each([
    ['a NUL', 'a\0b'],
    ['a newline', 'a\nb'],
    ['129 characters', 'x'.repeat(129)],
  ])('with %s are refused', async (_what, userId) => {
    const item = await putItem()
    const error = await errorOf(bids.placeBid({ itemId: item.id, amount: 100n, userId }))
    expect(error.code).toBe(Code.InvalidArgument)
  })

  it('may be anything printable', async () => {
    const item = await putItem({ minIncrement: 1n })
    const userIds = ['auth0|5f7c', 'Zoë 💡', "o'brien\\ {,}", 'NULL', 'x'.repeat(128)]
    for (const [n, userId] of userIds.entries()) {
      const { bid } = await bids.placeBid({ itemId: item.id, amount: 100n + BigInt(n), userId })
      expect(bid?.userId).toBe(userId)
    }
  })
})

describe('when the moment is bad', () => {
  it('a lock that is not granted in 5 s is ABORTED, and the bid can be sent again', async () => {
    const item = await putItem()
    const request = { itemId: item.id, amount: 100n, userId: 'ann' }
    const error = await inTransaction(database.url, async (tx) => {
      await tx`SELECT 1 FROM items WHERE id = ${item.id} FOR UPDATE`
      return await errorOf(bids.placeBid(request))
    })
    expect(error.code).toBe(Code.Aborted)
    expect(rejectionOf(error)?.reason).toBe(Reason.CONTENTION)
    expect((await bids.placeBid(request)).bid?.sequence).toBe(1n)
  })

  it('a database that is unavailable is UNAVAILABLE, and bids go on when it is back', async () => {
    const proxy = await startTcpProxy(database.url)
    const component = await startBid({
      databaseUrl: proxy.url,
      redisUrl: undefined,
      lanes: 1,
      log: quietLog,
      signal: new AbortController().signal,
    })
    const other = await startTestServer([component])
    const client = createClient(
      BidService,
      createConnectTransport({ baseUrl: other.url, httpVersion: '1.1' }),
    )
    const item = await putItem()
    const request = { itemId: item.id, amount: 100n, userId: 'ann', idempotencyKey: randomUUID() }
    await proxy.refuse()
    const error = await errorOf(client.placeBid(request))
    expect(error.code).toBe(Code.Unavailable)
    expect(rejectionOf(error)?.reason).toBe(Reason.UNAVAILABLE)
    for (const call of [
      () => client.getItem({ id: item.id }),
      () => client.cancelItem({ id: item.id, userId: 'seller' }),
    ]) {
      const answer = await errorOf(call())
      expect(answer.code).toBe(Code.Unavailable)
      expect(answer.message).not.toMatch(/ECONN|127\.0\.0\.1|SELECT/)
    }
    await proxy.listen()
    await eventually(async () => expect((await client.placeBid(request)).bid?.sequence).toBe(1n))
    await other.stop()
    await proxy.close()
  })
})
