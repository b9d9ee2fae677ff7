/** The history and the streams of BidService, as clients get them from a real server. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createRegistry } from '@bufbuild/protobuf'
import { anyUnpack, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { BidService, type Item, type ItemEvent } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { file_events_v1_events } from '@bidmesh/gen/events/v1/events_pb.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { type Client, Code, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrationsDirectory, startBid } from './bid-component.ts'
import { linkHash } from './event-chain.ts'

const messages = createRegistry(file_events_v1_events)

let database: TestDatabase
let server: Server
let bids: Client<typeof BidService>

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const { signal } = new AbortController()
  const options = { databaseUrl: database.url, redisUrl: undefined, log: quietLog, signal }
  server = await startTestServer([await startBid({ ...options, lanes: 2 })])
  const transport = createConnectTransport({
    baseUrl: server.url,
    httpVersion: '1.1',
    useBinaryFormat: false,
    jsonOptions: { registry: messages },
  })
  bids = createClient(BidService, transport)
})

afterAll(async () => {
  await server.stop()
  await database.drop()
})

async function putItem(): Promise<Item> {
  const { item } = await bids.createItem({
    title: 'Lamp',
    sellerId: 'seller',
    startPrice: 100n,
    minIncrement: 1n,
    endAt: timestampFromMs(Date.now() + 3_600_000),
  })
  if (!item) throw new Error('no item')
  return item
}

describe('the events of an item', () => {
  it('come page by page, oldest first, with the chain that anybody can follow', async () => {
    const item = await putItem()
    const itemId = item.id
    await bids.updateItem({ id: itemId, title: 'Two lamps', userId: 'seller' })
    const { bid: first } = await bids.placeBid({ itemId, amount: 100n, userId: 'ann' })
    await bids.placeBid({ itemId, amount: 101n, userId: 'bob' })
    const events: ItemEvent[] = []
    for (let pageToken: string | undefined; pageToken !== '';) {
      const page = await bids.listItemEvents({ itemId, pageSize: 3, pageToken: pageToken ?? '' })
      events.push(...page.events)
      pageToken = page.nextPageToken
    }
    expect(events.map(({ version }) => version)).toEqual([1n, 2n, 3n, 4n])
    expect(events.map(({ event }) => event && anyUnpack(event, messages))).toMatchObject([
      { $typeName: 'events.v1.ItemCreated', itemId, sellerId: 'seller' },
      { $typeName: 'events.v1.ItemUpdated', title: 'Two lamps', version: 2n },
      { $typeName: 'events.v1.BidPlaced', bidId: first?.id, userId: 'ann', amount: 100n },
      { $typeName: 'events.v1.BidPlaced', userId: 'bob', previousHighestBidderId: 'ann' },
    ])
    expect(events[2]).toMatchObject({ eventId: first?.id, recordedAt: first?.createdAt })
    let last: Uint8Array = new Uint8Array()
    for (const { version, eventId: id, recordedAt, event, hash } of events) {
      const type = ['item.created', 'item.updated'][Number(version) - 1] ?? 'bid.placed'
      const recordedAtMs = recordedAt ? timestampMs(recordedAt) : 0
      const payload = event?.value ?? new Uint8Array()
      last = linkHash(last, { itemId, version, recordedAtMs, id, type, payload })
      expect(Buffer.from(hash)).toEqual(last)
    }
  })

  it('of a kind that came later come without their contents', async () => {
    const { id: itemId } = await putItem()
    await database.sql`UPDATE item_events SET type = 'item.raffled' WHERE item_id = ${itemId}`
    const { events } = await bids.listItemEvents({ itemId })
    expect(events.map(({ version, event }) => [version, event])).toEqual([[1n, undefined]])
  })

  it('are told to tools by reflection', async () => {
    const { id: itemId } = await putItem()
    const call = ['curl', '--http2-prior-knowledge', '--protocol', 'grpc', '-d']
    const url = `${server.url}/bids.v1.BidService/ListItemEvents`
    const buf = promisify(execFile)
    const { stdout } = await buf('node_modules/.bin/buf', [
      ...call,
      JSON.stringify({ itemId }),
      url,
    ])
    const event = { '@type': 'type.googleapis.com/events.v1.ItemCreated', itemId }
    expect(JSON.parse(stdout)).toMatchObject({ events: [{ version: '1', event }] })
  })
})

describe('a stream of items and bids', () => {
  it('comes whole, and goes on where a stream broke off', async () => {
    const [first, second] = [await putItem(), await putItem()]
    for (const itemId of [first.id, second.id, first.id]) {
      const { item } = await bids.getItem({ id: itemId })
      await bids.placeBid({ itemId, amount: item?.minimumNextBid ?? 0n, userId: 'ann' })
    }
    await database.sql`
      INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
      SELECT ${second.id}::uuid, n, gen_random_uuid(), 'ann', 1000 + n, now() FROM generate_series(2, 2000) AS n`
    const read = async (afterItemId = '') =>
      await Array.fromAsync(bids.streamItems({ afterItemId }))
    const all = await read()
    const items = all.flatMap((each) => each.items)
    const stored = await database.sql<{ id: string }[]>`SELECT id FROM items ORDER BY id`
    expect(items.map(({ id }) => id)).toEqual(stored.map(({ id }) => id))
    expect(items.slice(-2)).toMatchObject([{ sequence: 2n }, { sequence: 1n }])
    const placed = await database.sql<{ id: string }[]>`
      SELECT id FROM bids ORDER BY item_id, sequence`
    expect(all.flatMap((each) => each.bids).map(({ id }) => id)).toEqual(placed.map(({ id }) => id))
    expect(all.at(-1)?.completeUntilItemId).toBe(second.id)

    const rest = await read(first.id)
    expect(rest.flatMap((each) => each.items).map(({ id }) => id)).toEqual([second.id])
    expect(rest.map((each) => [each.bids.length, each.completeUntilItemId])).toEqual([
      [0, first.id],
      [1_000, first.id],
      [1_000, first.id],
      [0, second.id],
    ])
    expect(await read(second.id)).toEqual([])
    await database.sql`DELETE FROM bids WHERE item_id = ${second.id} AND sequence > 1`
  })

  it('comes to a few at once', async () => {
    await putItem()
    const streams = Array.from({ length: 5 }, () => bids.streamItems({})[Symbol.asyncIterator]())
    const began = await Promise.allSettled(streams.map((stream) => stream.next()))
    expect(began.filter(({ status }) => status === 'rejected')).toMatchObject([
      { reason: { code: Code.ResourceExhausted } },
    ])
    for (const stream of streams) await stream.return?.()
    await eventually(async () => {
      expect((await Array.fromAsync(bids.streamItems({}))).length).toBeGreaterThan(0)
    })
  })
})
