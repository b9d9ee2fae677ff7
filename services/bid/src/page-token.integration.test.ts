/**
 * Anybody can make a page token: its print is no signature. Whatever values a forged one holds, the answer
 * is a page or INVALID_ARGUMENT, never what Postgres thinks of a value that it cannot read.
 */
import { ListItemsRequest_OrderBy as OrderBy } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { Code, ConnectError } from '@connectrpc/connect'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { migrationsDirectory } from './bid-component.ts'
import { createLanes } from './lanes.ts'
import { createBidMetrics } from './metrics.ts'
import { getItemBids, listUserBids } from './queries.ts'
import { listItems, noFilter } from './list-items.ts'
import { bidOn, putItem } from './test-item.ts'

/** Forged tokens for each list: some thousand values, a second or two. */
const FORGERIES = 300

let database: TestDatabase
let itemId: string

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
  const { url: databaseUrl, session } = database
  const [item] = [await putItem(session), await putItem(session), await putItem(session)]
  itemId = item.itemId
  const invalidate = async () => undefined
  const lanes = createLanes({
    databaseUrl,
    lanes: 1,
    invalidate,
    wakeRelay: () => undefined,
    metrics: createBidMetrics(),
  })
  for (const amount of [100n, 101n, 102n]) {
    await lanes.place(bidOn(itemId, { amount }), new AbortController().signal)
  }
  await lanes.stop()
})

afterAll(async () => {
  await database.drop()
})

const itemsBy = (orderBy: OrderBy) => (pageToken: string) =>
  listItems(database.sql, { ...noFilter, orderBy }, { pageSize: 1, pageToken, full: false })

const digits = (count: number) => fc.stringMatching(new RegExp(`^\\d{${count}}$`))
const clock = fc
  .tuple(digits(4), digits(2), digits(2), digits(2), digits(2), digits(2), digits(3))
  .map(([y, mo, d, h, mi, s, ms]) => `${y}-${mo}-${d}T${h}:${mi}:${s}.${ms}Z`)
const value = fc.oneof(
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
  fc.stringMatching(/^\d{18,25}$/),
  clock,
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.uuid(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '9223372036854775807',
    '9223372036854775808',
    '9999999999999999999',
    '9999-99-99T99:99:99.999Z',
    '2026-02-30T00:00:00.000Z',
    '2026-02-28T24:00:00.000Z',
    '0000-01-01T00:00:00.000Z',
    '+010000-01-01T00:00:00.000Z',
    'infinity',
    'NaN',
    '٣',
    '\0',
    '',
  ),
)

it.each([
  ['items, newest first', itemsBy(OrderBy.NEWEST)],
  ['items that end soon', itemsBy(OrderBy.ENDING_SOON)],
  ['items by rising price', itemsBy(OrderBy.PRICE_ASC)],
  ['items by falling price', itemsBy(OrderBy.PRICE_DESC)],
  [
    'bids on an item',
    (pageToken: string) => getItemBids(database.sql, itemId, { pageSize: 1, pageToken }),
  ],
  [
    'bids of a user',
    (pageToken: string) => listUserBids(database.sql, 'ann', { pageSize: 1, pageToken }),
  ],
])('a forged token is answered by a page or refused: %s', async (_, load) => {
  const { nextPageToken } = await load('')
  const parts = JSON.parse(Buffer.from(nextPageToken, 'base64url').toString()) as string[]
  const codes = new Set<Code | 'a page'>()
  await fc.assert(
    fc.asyncProperty(
      // Most forgeries keep the values of the real one but for one.
      fc.tuple(fc.nat(), value).map(([n, forged]) => {
        const at = 1 + (n % (parts.length - 1))
        return parts.with(at, forged)
      }),
      async (forged) => {
        const token = Buffer.from(JSON.stringify(forged)).toString('base64url')
        const answer = await load(token).then(
          () => 'a page' as const,
          (error: unknown) => (error instanceof ConnectError ? error.code : error),
        )
        expect([Code.InvalidArgument, 'a page']).toContainEqual(answer)
        codes.add(answer as Code | 'a page')
      },
    ),
    { numRuns: FORGERIES },
  )
  // Both happened, so the forgeries came as far as the values.
  expect(codes.size).toBe(2)
})
