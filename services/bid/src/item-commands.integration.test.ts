/** What sellers and operators do to an item, by Connect: edits by mask, extensions, the early hammer. */
import { randomUUID } from 'node:crypto'
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { FieldMaskSchema, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  BidService,
  CreateItemRequestSchema,
  type Item,
  ItemStatus,
  SoftClose_Mode,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import {
  BidPlacedSchema,
  ItemEndedSchema,
  ItemExtendedSchema,
} from '@bidmesh/gen/events/v1/events_pb.ts'
import { ErrorInfoSchema, RetryInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrationsDirectory, startBid } from './bid-component.ts'
import { closeItems } from './close-items.ts'

const OPERATOR = 'olga'
const HOUR_MS = 3_600_000

let database: TestDatabase
let server: Server
let bids: Client<typeof BidService>

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const { signal } = new AbortController()
  const options = {
    databaseUrl: database.url,
    redisUrl: undefined,
    lanes: 2,
    log: quietLog,
    signal,
  }
  server = await startTestServer([await startBid({ ...options, operatorIds: [OPERATOR] })])
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' })
  bids = createClient(BidService, transport)
})

afterAll(async () => {
  await server.stop()
  await database.drop()
})

const seller = 'sal'
const endMs = (item: Item | undefined) => (item?.endAt ? timestampMs(item.endAt) : 0)

async function putItem(changes: MessageInitShape<typeof CreateItemRequestSchema> = {}) {
  const { item } = await bids.createItem({
    title: 'Lamp',
    startPrice: 100n,
    sellerId: seller,
    endAt: timestampFromMs(Date.now() + HOUR_MS),
    ...changes,
  })
  if (!item) throw new Error('no item came back')
  return item
}

async function bid(itemId: string, amount: bigint, userId = 'ann') {
  return await bids.placeBid({ itemId, amount, userId })
}

async function failure(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof ConnectError)) throw error
  const [info] = error.findDetails(ErrorInfoSchema)
  return { code: error.code, message: error.rawMessage, info, error }
}

async function lastEvent(itemId: string) {
  const [row] = await database.sql<{ type: string; payload: Buffer }[]>`
    SELECT type, payload FROM outbox WHERE item_id = ${itemId} ORDER BY seq DESC LIMIT 1`
  if (!row) throw new Error('no event was written')
  return row
}

describe('UpdateItem', () => {
  const images = ['https://example.com/a.jpg']
  const mask = (...paths: string[]) => create(FieldMaskSchema, { paths })

  it('changes what the mask names, and clears what is named and not given', async () => {
    const { id } = await putItem({ images, description: 'Brass', category: 'home' })
    const ask = { id, userId: seller, title: 'Desk lamp', description: 'Tin' }
    const { item } = await bids.updateItem({ ...ask, updateMask: mask('images', 'title') })
    const expected = { title: 'Desk lamp', description: 'Brass', images: [], category: 'home' }
    expect(item).toMatchObject(expected)
    const updateMask = mask('description', 'category')
    const cleared = await bids.updateItem({ id, userId: seller, updateMask })
    expect(cleared.item).toMatchObject({ title: 'Desk lamp', description: '', category: '' })
  })

  it('leaves the times as they are to the millisecond, in whatever century', async () => {
    const startAt = timestampFromMs(Date.UTC(9_998, 5, 1, 0, 0, 0, 123))
    const endAt = timestampFromMs(Date.UTC(9_998, 5, 2, 0, 0, 0, 457))
    const { id } = await putItem({ startAt, endAt })
    for (const title of ['one', 'two']) await bids.updateItem({ id, userId: seller, title })
    const { item } = await bids.getItem({ id })
    expect(item?.endAt).toEqual(endAt)
    expect(item?.originalEndAt).toEqual(endAt)
  })

  it('without a mask changes the fields there are', async () => {
    const { id } = await putItem({ images, description: 'Brass' })
    const { item } = await bids.updateItem({ id, userId: seller, description: 'Tin' })
    expect(item).toMatchObject({ title: 'Lamp', description: 'Tin', images })
  })

  it.each([
    ['paths that are no texts', mask('start_price', 'title', 'colour'), /start_price, colour/],
    ['a title that is taken away', mask('title'), /title: /],
  ])('refuses %s', async (_what, updateMask, says) => {
    const { id } = await putItem()
    const { code, message, info } = await failure(
      bids.updateItem({ id, userId: seller, updateMask }),
    )
    expect({ code, reason: info?.reason }).toEqual({
      code: Code.InvalidArgument,
      reason: 'INVALID_REQUEST',
    })
    expect(message).toMatch(says)
    expect((await bids.getItem({ id })).item?.title).toBe('Lamp')
  })
})

describe('ExtendItem', () => {
  it('moves the end, and the event says from when to when, by whom and why', async () => {
    const made = await putItem()
    const endAt = timestampFromMs(endMs(made) + HOUR_MS)
    const reason = 'The catalogue was late'
    const { item } = await bids.extendItem({ itemId: made.id, endAt, reason, userId: seller })
    expect(item).toMatchObject({ endAt, originalEndAt: endAt, extensionCount: 0, version: 2n })
    expect(item).toEqual((await bids.getItem({ id: made.id })).item)
    const { type, payload } = await lastEvent(made.id)
    expect(type).toBe('item.extended')
    expect(fromBinary(ItemExtendedSchema, payload)).toMatchObject({
      itemId: made.id,
      sellerId: seller,
      extension: { reason: ExtensionReason.SELLER, endAt },
      previousEndAt: made.endAt,
      reason,
      version: 2n,
    })
  })

  it('is an operator’s, too, once there are bids', async () => {
    const { id, endAt } = await putItem()
    await bid(id, 100n)
    const later = timestampFromMs((endAt ? timestampMs(endAt) : 0) + 1)
    const request = { itemId: id, endAt: later, reason: '' }
    const { info } = await failure(bids.extendItem({ ...request, userId: seller }))
    expect(info).toMatchObject({
      reason: 'HAS_BIDS',
      domain: 'bidmesh',
      metadata: { item_id: id, status: 'active', bid_count: '1' },
    })
    const { item } = await bids.extendItem({ ...request, userId: OPERATOR })
    expect(item?.endAt).toEqual(later)
    const { payload } = await lastEvent(id)
    const { extension } = fromBinary(ItemExtendedSchema, payload)
    expect(extension?.reason).toBe(ExtensionReason.OPERATOR)
  })

  it.each([
    ['NOT_SELLER', Code.PermissionDenied, 'eve', 1],
    ['NOT_LATER', Code.InvalidArgument, seller, 0],
    ['TOO_LONG', Code.InvalidArgument, seller, 366 * 24 * HOUR_MS],
  ])('is refused: %s', async (reason, code, userId, laterMs) => {
    const made = await putItem()
    const endAt = timestampFromMs(endMs(made) + laterMs)
    const refused = await failure(bids.extendItem({ itemId: made.id, endAt, userId }))
    expect(refused).toMatchObject({ code, info: { reason, metadata: { item_id: made.id } } })
  })

  it('keeps an item open beyond its former end', async () => {
    const endAt = timestampFromMs(Date.now() + 500)
    const { id } = await putItem({ endAt, softClose: { maxExtensions: 0 } })
    const later = timestampFromMs(Date.now() + HOUR_MS)
    await bids.extendItem({ itemId: id, endAt: later, userId: seller })
    await eventually(() => expect(Date.now()).toBeGreaterThan(timestampMs(endAt)))
    await closeItems(database.session, async () => undefined)
    expect((await bid(id, 100n)).bid?.sequence).toBe(1n)
  })
})

describe('EndItemNow', () => {
  it('sells to the leader at once, and is told like every other end', async () => {
    const made = await putItem({ currency: 'EUR' })
    await bid(made.id, 100n, 'ann')
    await bid(made.id, 200n, 'bob')
    const { item } = await bids.endItemNow({ itemId: made.id, userId: seller })
    const { endAt } = item ?? {}
    const sold = { outcome: ItemOutcome.SOLD, winnerId: 'bob', hammerPrice: 200n }
    expect(item).toMatchObject({ ...sold, status: ItemStatus.ENDED, version: 4n })
    expect(endMs(item)).toBeLessThan(endMs(made))
    expect(item?.originalEndAt).toEqual(made.endAt)
    const { type, payload } = await lastEvent(made.id)
    expect(type).toBe('item.ended')
    const told = { ...sold, bidCount: 2n, currency: 'EUR', early: true }
    expect(fromBinary(ItemEndedSchema, payload)).toMatchObject({ ...told, endedAt: endAt })
    const again = await failure(bids.endItemNow({ itemId: made.id, userId: seller }))
    expect(again).toMatchObject({ code: Code.FailedPrecondition, info: { reason: 'ENDED' } })
    const late = await failure(bid(made.id, 900n, 'cy'))
    expect(late.code).toBe(Code.FailedPrecondition)
    expect(await closeItems(database.session, async () => undefined)).toBe(0)
  })

  it('needs a bid, unless an operator asks', async () => {
    const { id } = await putItem()
    const refused = await failure(bids.endItemNow({ itemId: id, userId: seller }))
    expect(refused).toMatchObject({ code: Code.FailedPrecondition, info: { reason: 'NO_BIDS' } })
    const { item } = await bids.endItemNow({ itemId: id, userId: OPERATOR })
    expect(item).toMatchObject({ status: ItemStatus.ENDED, outcome: ItemOutcome.UNSOLD })
  })
})

describe('soft close', () => {
  it('resets the end, and answer and event say why and until when', async () => {
    const softClose = { mode: SoftClose_Mode.RESET, window: { seconds: 3_600n } }
    const made = await putItem({ softClose, endAt: timestampFromMs(Date.now() + 60_000) })
    expect(made.softClose).toMatchObject({ ...softClose, maxExtensions: 0 })
    const placed = await bid(made.id, 100n)
    const extension = { reason: ExtensionReason.LATE_BID, endAt: placed.endAt }
    expect(placed).toMatchObject({ extended: true, extension })
    const createdMs = placed.bid?.createdAt ? timestampMs(placed.bid.createdAt) : 0
    expect(placed.endAt).toEqual(timestampFromMs(createdMs + HOUR_MS))
    const { payload } = await lastEvent(made.id)
    expect(fromBinary(BidPlacedSchema, payload)).toMatchObject({ extended: true, extension })
    const raised = await bid(made.id, 500n)
    expect(raised).toMatchObject({ extended: false, endAt: placed.endAt })
    expect(raised.extension).toBeUndefined()
  })

  it('stops at its longest time', async () => {
    const softClose = { window: { seconds: 3_600n }, maxTotal: { seconds: 60n } }
    const made = await putItem({ softClose, endAt: timestampFromMs(Date.now() + 60_000) })
    const { endAt } = await bid(made.id, 100n)
    expect(endAt).toEqual(timestampFromMs(endMs(made) + 60_000))
    expect((await bid(made.id, 200n, 'bob')).extended).toBe(false)
  })

  it('of extensions shorter than the window is refused for new items only', async () => {
    const softClose = { window: { seconds: 30n }, extension: { seconds: 29n } }
    const refused = await failure(putItem({ softClose }))
    expect(refused).toMatchObject({ code: Code.InvalidArgument, info: { reason: 'BAD_TERMS' } })
    const { id, endAt } = await putItem({ endAt: timestampFromMs(Date.now() + 20_000) })
    await database.sql`UPDATE items SET soft_close_extension_ms = 1000 WHERE id = ${id}`
    const before = endAt ? timestampMs(endAt) : 0
    expect((await bid(id, 100n)).endAt).toEqual(timestampFromMs(before + 1_000))
  })
})

describe('a change that was not carried out', () => {
  it('says why in an ErrorInfo', async () => {
    const { id } = await putItem()
    const missing = await failure(bids.cancelItem({ id: randomUUID(), userId: seller }))
    expect(missing).toMatchObject({ code: Code.NotFound, info: { reason: 'ITEM_NOT_FOUND' } })
    const malformed = await failure(bids.endItemNow({ itemId: 'x', userId: seller }))
    expect(malformed).toMatchObject({ info: { reason: 'INVALID_REQUEST' } })
    const idempotencyKey = randomUUID()
    await putItem({ idempotencyKey })
    const reused = await failure(putItem({ idempotencyKey, title: 'Other' }))
    expect(reused).toMatchObject({ info: { reason: 'ITEM_KEY_REUSED' } })
    const held = await inTransaction(database.url, async (tx) => {
      await tx`SELECT 1 FROM items WHERE id = ${id} FOR UPDATE`
      return await failure(bids.cancelItem({ id, userId: seller }))
    })
    expect(held).toMatchObject({ code: Code.Aborted, info: { reason: 'CONTENTION' } })
    expect(held.error.findDetails(RetryInfoSchema)).toHaveLength(1)
  }, 15_000)
})
