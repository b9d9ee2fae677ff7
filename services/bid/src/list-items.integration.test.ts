/** Pages of items: nothing is lost while bids move items about, and no page is too large to be taken. */
import { randomUUID } from 'node:crypto'
import { defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import { toBinary } from '@bufbuild/protobuf'
import {
  type Item,
  ItemSchema,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrationsDirectory } from './bid-component.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { type ItemFilter, listItems, noFilter } from './list-items.ts'
import { createBidMetrics } from './metrics.ts'
import { bidOn, putItem } from './test-item.ts'

/** What clients of gRPC take unless told otherwise. */
const GRPC_BYTES_MAX = 4 * 1024 * 1024

let database: TestDatabase
let lanes: Lanes

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const invalidate = async () => undefined
  const metrics = createBidMetrics()
  lanes = createLanes({
    databaseUrl: database.url,
    lanes: 1,
    invalidate,
    wakeRelay: () => undefined,
    metrics,
  })
})

afterAll(async () => {
  await lanes.stop()
  await database.drop()
})

type Asked = { orderBy?: OrderBy; pageSize?: number; full?: boolean }

/** All pages; `between` runs after each, with the place in the list. */
async function pagesOf(
  of: Partial<ItemFilter>,
  { orderBy = OrderBy.NEWEST, pageSize = 3, full = false }: Asked,
  between: (page: number) => Promise<unknown> = async () => undefined,
): Promise<Item[][]> {
  const filter = { ...noFilter, ...of, orderBy }
  const pages: Item[][] = []
  let pageToken = ''
  do {
    const page = await listItems(database.sql, filter, { pageSize, pageToken, full })
    pages.push(page.rows)
    pageToken = page.nextPageToken
    await between(pages.length)
  } while (pageToken !== '')
  return pages
}

const idsOf = (pages: Item[][]) => pages.flat().map(({ id }) => id)

/** Items of a new word and category, at 100, 200, 300 … that end in half an hour; bids move the end. */
async function putItems(count: number) {
  const word = `x${randomUUID().replaceAll('-', '')}`
  const softClose = {
    ...defaultSoftClose,
    mode: 'reset' as const,
    windowMs: 3_600_000,
    maxExtensions: 0,
  }
  const terms = { title: word, category: word, softClose }
  const itemIds: string[] = []
  for (let n = 0; n < count; n += 1) {
    const endAtMs = Date.now() + 1_800_000 + n
    const startPrice = BigInt(100 * (n + 1))
    itemIds.push((await putItem(database.session, { ...terms, endAtMs, startPrice })).itemId)
  }
  return { word, itemIds }
}

async function bid(itemId: string, amount: number): Promise<void> {
  await lanes.place(bidOn(itemId, { amount: BigInt(amount) }), new AbortController().signal)
}

/** What has a word is found first and then ordered; of a category, prices are read along their index. */
describe.each(['query', 'category'] as const)('by %s, while bids are placed', (by) => {
  it.each([OrderBy.NEWEST, OrderBy.ENDING_SOON, OrderBy.PRICE_ASC, OrderBy.PRICE_DESC])(
    'every item is shown, in order %s',
    async (orderBy) => {
      const count = 8
      await fc.assert(
        fc.asyncProperty(
          // After each page, bids on some items; amounts may be too low, which changes nothing.
          fc.array(fc.array(fc.tuple(fc.nat(count - 1), fc.integer({ min: 100, max: 2_000 }))), {
            maxLength: 4,
          }),
          fc.array(fc.tuple(fc.nat(count - 1), fc.integer({ min: 100, max: 1_000 }))),
          async (moves, before) => {
            const { word, itemIds } = await putItems(count)
            const place = async (bids: [number, number][]) => {
              for (const [n, amount] of bids) await bid(itemIds[n] ?? '', amount)
            }
            await place(before)
            const pages = await pagesOf({ [by]: word }, { orderBy }, (n) =>
              place(moves[n - 1] ?? []),
            )
            expect([...new Set(idsOf(pages))].toSorted()).toEqual(itemIds.toSorted())
          },
        ),
        { numRuns: 8 },
      )
    },
  )

  it('none comes twice by falling price, and none is lost', async () => {
    const { word, itemIds } = await putItems(9)
    // The cheapest jumps over everybody after the first page, the next one after the second.
    const pages = await pagesOf({ [by]: word }, { orderBy: OrderBy.PRICE_DESC }, async (n) => {
      await bid(itemIds[n - 1] ?? '', 5_000 * n)
    })
    expect(idsOf(pages)).toEqual(itemIds.toReversed())
    expect(pages.at(-1)?.map((item) => item.currentHighestBid)).toEqual([0n, 10_000n, 5_000n])
  })

  it('a bid whose time is before the first page, but which that page could not see, loses nothing', async () => {
    const { word, itemIds } = await putItems(6)
    const [cheapest = ''] = itemIds
    const filter = { ...noFilter, [by]: word, orderBy: OrderBy.PRICE_DESC }
    const load = (pageToken: string) =>
      listItems(database.sql, filter, { pageSize: 3, pageToken, full: false })
    const first = await inTransaction(database.url, async (tx) => {
      await tx`
        INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
        VALUES (${cheapest}, 1, ${randomUUID()}, 'ann', 9000, clock_timestamp())`
      await tx`
        UPDATE items SET current_highest_bid = 9000, sequence = 1, updated_at = clock_timestamp()
        WHERE id = ${cheapest}`
      return await load('')
    })
    const second = await load(first.nextPageToken)
    expect([...first.rows, ...second.rows].map(({ id }) => id)).toContain(cheapest)
  })

  it('more bids than are looked back through lose nothing', async () => {
    const { word, itemIds } = await putItems(6)
    const [cheapest = ''] = itemIds
    const pages = await pagesOf({ [by]: word }, { orderBy: OrderBy.PRICE_DESC }, async (n) => {
      if (n > 1) return
      await database.sql`
        INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
        SELECT ${cheapest}, n, gen_random_uuid(), 'ann', 1000 + n, clock_timestamp()
        FROM generate_series(1, 1500) AS n`
      await database.sql`
        UPDATE items SET current_highest_bid = 2500, sequence = 1500, updated_at = clock_timestamp()
        WHERE id = ${cheapest}`
    })
    expect(idsOf(pages)).toEqual(itemIds.toReversed())
  })
})

describe('of many items', () => {
  const inAll = 11_000

  it('a page by price is of all that match, by currency and within a range', async () => {
    const category = randomUUID()
    const { itemId } = await putItem(database.session, {
      category,
      currency: 'CHF',
      startPrice: 5_000n,
    })
    await database.sql`
      INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price,
        min_increment, soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
        created_at, updated_at, start_at, end_at, original_end_at)
      SELECT gen_random_uuid(), title, description, images, category, seller_id, 'SEK', n,
        min_increment, soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
        created_at, updated_at, start_at, end_at, original_end_at
      FROM items, generate_series(10000, ${10_000 + inAll}) AS n WHERE id = ${itemId}`
    const priced = async (orderBy: OrderBy, changes: Partial<ItemFilter>) => {
      const filter = { ...noFilter, category, orderBy, ...changes }
      const page = await listItems(database.sql, filter, {
        pageSize: 3,
        pageToken: '',
        full: false,
      })
      return page.rows.map(({ startPrice }) => Number(startPrice))
    }
    expect(await priced(OrderBy.PRICE_ASC, {})).toEqual([5_000, 10_000, 10_001])
    expect(await priced(OrderBy.PRICE_DESC, {})).toEqual([21_000, 20_999, 20_998])
    const range = { minPrice: 15_000n, maxPrice: 15_001n }
    expect(await priced(OrderBy.PRICE_ASC, range)).toEqual([15_000, 15_001])
    expect(await priced(OrderBy.NEWEST, { minPrice: 20_999n })).toHaveLength(2)
    // The only one in francs is the last of 11,000 by falling price.
    expect(await priced(OrderBy.PRICE_DESC, { currency: 'CHF' })).toEqual([5_000])
    await bid(itemId, 30_000)
    expect(await priced(OrderBy.PRICE_DESC, {})).toEqual([5_000, 21_000, 20_999])
  })
})

describe('a page', () => {
  /** Of four bytes each. */
  const longest = '\u{10428}'.repeat(10_000)
  const images = Array.from(
    { length: 10 },
    (_, n) => `https://example.com/${n}${'x'.repeat(2_000)}`,
  )

  it.each([
    ['of full items', true, { description: longest }],
    ['of summaries with many pictures', false, { description: 'x', images }],
  ])('%s fits what clients take, and leads to the rest', async (_, full, texts) => {
    const sellerId = randomUUID()
    const count = 60
    await putItem(database.session, { sellerId, ...texts })
    await database.sql`
      INSERT INTO items (id, title, description, images, category, seller_id, currency, start_price,
        min_increment, soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
        created_at, updated_at, start_at, end_at, original_end_at)
      SELECT gen_random_uuid(), title, description, images, category, seller_id, currency, start_price,
        min_increment, soft_close_window_ms, soft_close_extension_ms, soft_close_max_extensions, status,
        created_at, updated_at, start_at, end_at, original_end_at
      FROM items, generate_series(2, ${count}) WHERE seller_id = ${sellerId}`
    const pages = await pagesOf({ sellerId }, { full, pageSize: 100 })
    expect(new Set(idsOf(pages)).size).toBe(count)
    expect(idsOf(pages)).toHaveLength(count)
    expect(pages.length).toBeGreaterThan(1)
    for (const page of pages) {
      const bytes = page.reduce((sum, item) => sum + toBinary(ItemSchema, item).length + 8, 0)
      expect(bytes).toBeLessThan(GRPC_BYTES_MAX / 2)
      expect(page.length).toBeGreaterThan(0)
    }
    const descriptions = new Set(pages.flat().map(({ description }) => description))
    expect(descriptions).toEqual(new Set([full ? longest : '']))
  })
})
