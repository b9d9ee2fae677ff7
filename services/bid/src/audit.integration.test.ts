/** The audit log, from outside: what people did with tokens, and what they were refused. */
import { randomUUID } from 'node:crypto'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { checkTokens } from '@bidmesh/platform/identity/authenticator.ts'
import type { Server } from '@bidmesh/platform/server/server.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import {
  audience,
  inSeconds,
  startTestIssuer,
  type TestIssuer,
} from '@bidmesh/platform/testing/test-issuer.ts'
import { quietLog, startTestServer } from '@bidmesh/platform/testing/test-server.ts'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Client, createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrationsDirectory, startAuctioneerComponent, startBid } from './bid-component.ts'
import { KINDS_MAX } from './audit-refusals.ts'
import { dropAuditMonths } from './keep-partitions.ts'

const RULES_VERSION_NOW = 1

let issuer: TestIssuer
let database: TestDatabase
let server: Server
let olga: Client<typeof BidService>
const undo: (() => unknown)[] = []

beforeAll(async () => {
  issuer = await startTestIssuer()
  database = await createTestDatabase(migrationsDirectory)
  const { signal } = new AbortController()
  const options = { databaseUrl: database.url, redisUrl: undefined, log: quietLog, signal }
  const components = [
    await startBid({ ...options, lanes: 2 }),
    await startAuctioneerComponent(options),
  ]
  const tokens = checkTokens({
    issuer: issuer.url,
    audiences: [audience],
    rolesClaim: 'roles',
    algorithms: ['RS256'],
    leewaySeconds: 0,
    log: quietLog,
  })
  server = await startTestServer(components, tokens)
  undo.push(server.stop, tokens.stop, issuer.stop, database.drop)
  olga = await as('olga', ['operator'])
})

afterAll(async () => {
  for (const step of undo) await step()
})

/** Requests of somebody, or of nobody. */
async function as(
  sub: string | undefined,
  roles: string[] = ['bidder', 'seller'],
  headers: Record<string, string> = {},
): Promise<Client<typeof BidService>> {
  const token = sub && (await issuer.token({ sub, roles, exp: inSeconds(600) }))
  const transport = createConnectTransport({
    baseUrl: server.url,
    httpVersion: '1.1',
    interceptors: [
      (next) => (request) => {
        if (token) request.header.set('authorization', `Bearer ${token}`)
        for (const [name, value] of Object.entries(headers)) request.header.set(name, value)
        return next(request)
      },
    ],
  })
  return createClient(BidService, transport)
}

async function putItem(seller = 'sam', endsInMs = 3_600_000): Promise<string> {
  const sam = await as(seller)
  const { item } = await sam.createItem({
    title: 'Lamp',
    startPrice: 100n,
    minIncrement: 1n,
    endAt: timestampFromMs(Date.now() + endsInMs),
  })
  return item?.id ?? ''
}

describe('what was done', () => {
  it('is kept with who, from where, and under which rules', async () => {
    const itemId = await putItem()
    const headers = { 'user-agent': 'phone/1 \u00e9', 'x-request-id': 'click,7{"\\' }
    const ann = await as('ann', ['bidder'], headers)
    const { bid } = await ann.placeBid({ itemId, amount: 100n })
    const oscar = await as('oscar', ['operator'])
    await oscar.cancelItem({ id: itemId, reason: 'A copy' })

    const { entries } = await olga.listAuditEntries({ itemId })
    expect(entries).toMatchObject([
      { action: 'item.cancelled', userId: 'oscar', version: 3n, refusal: '' },
      {
        id: bid?.id,
        action: 'bid.placed',
        userId: 'ann',
        itemId,
        version: 2n,
        address: '127.0.0.1',
        userAgent: 'phone/1 ??',
        requestId: 'click,7{"\\',
        rulesVersion: RULES_VERSION_NOW,
        refusal: '',
        times: 1,
      },
      { action: 'item.created', userId: 'sam', version: 1n },
    ])
    expect(entries[1]?.recordedAt).toEqual(bid?.createdAt)
    // Drawn where none was sent.
    expect(entries[0]?.requestId).toMatch(/^[0-9a-f-]{36}$/)
    expect((await olga.listAuditEntries({ requestId: 'click,7{"\\' })).entries).toHaveLength(1)
  })

  it("is the auctioneer's when an item ends by itself", async () => {
    const itemId = await putItem('sam', 1_200)
    await eventually(async () => {
      const { entries } = await olga.listAuditEntries({ itemId })
      expect(entries[0]).toMatchObject({ action: 'item.ended', userId: '', address: '' })
    })
  })

  it('is kept of calls that the library answers, too', async () => {
    const itemId = await putItem()
    const token = await issuer.token({ sub: 'gus', roles: ['bidder'], exp: inSeconds(600) })
    const transport = createGrpcTransport({ baseUrl: server.url, idleConnectionTimeoutMs: 1_000 })
    const headers = { authorization: `Bearer ${token}`, 'x-request-id': 'grpc-1' }
    await createClient(BidService, transport).placeBid({ itemId, amount: 100n }, { headers })
    const { entries } = await olga.listAuditEntries({ itemId, userId: 'gus' })
    expect(entries).toMatchObject([{ action: 'bid.placed', requestId: 'grpc-1' }])
  })
})

describe('what was refused', () => {
  it('is kept with the reason, in one row for what is alike within a second', async () => {
    const itemId = await putItem()
    const bid = { itemId, amount: 100n }
    const [nobody, analyst, sam, ann] = await Promise.all([
      as(undefined, [], { 'user-agent': 'stranger' }),
      as('ana', ['analyst']),
      as('sam'),
      as('ann'),
    ])
    const calls = [
      ...Array.from({ length: 40 }, () => nobody.placeBid(bid)),
      analyst.placeBid(bid),
      sam.placeBid(bid),
      ann.placeBid({ ...bid, userId: 'ben' }),
      ann.cancelItem({ id: itemId, reason: 'No' }),
    ]
    const results = await Promise.allSettled(calls)
    expect(results.filter(({ status }) => status === 'fulfilled')).toEqual([])

    await eventually(async () => {
      const { entries } = await olga.listAuditEntries({ refused: true, pageSize: 100 })
      const told = (refusal: string) => entries.filter((entry) => entry.refusal === refusal)
      const times = told('TOKEN_MISSING').reduce((sum, entry) => sum + entry.times, 0)
      expect(times).toBe(40)
      expect(told('TOKEN_MISSING').length).toBeLessThan(5)
      expect(told('TOKEN_MISSING')[0]).toMatchObject({
        action: 'bids.v1.BidService/PlaceBid',
        userId: '',
        itemId: '',
        userAgent: 'stranger',
      })
      expect(told('ROLE_MISSING')).toMatchObject([{ userId: 'ana', itemId: '' }])
      expect(told('OTHER_USER')).toMatchObject([{ userId: 'ann', itemId }])
      expect(told('NOT_SELLER')).toMatchObject([{ userId: 'ann', itemId, times: 1 }])
      expect(told('OWN_ITEM')).toMatchObject([{ userId: 'sam', itemId, version: 0n }])
    })
  })

  it('waits for the table when that is away, and never fails a call by itself', async () => {
    await database.sql`ALTER TABLE audit_entries RENAME TO audit_entries_away`
    const zoe = await as('zoe', ['seller'])
    await expect(zoe.placeBid({ itemId: randomUUID(), amount: 1n })).rejects.toThrow(/role/)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await database.sql`ALTER TABLE audit_entries_away RENAME TO audit_entries`
    await eventually(async () => {
      const { entries } = await olga.listAuditEntries({ userId: 'zoe' })
      expect(entries).toMatchObject([{ refusal: 'ROLE_MISSING', times: 1 }])
    })
  })

  it('is bounded, whatever strangers send', async () => {
    const many = await as('max', ['analyst'])
    const before = await countOf('max')
    await Promise.allSettled(
      Array.from({ length: 3 * KINDS_MAX }, async (_, index) => {
        const id = randomUUID()
        if (index % 2) await many.cancelItem({ id, reason: 'No' })
        else await (await as(`max-${index}`, ['analyst'])).placeBid({ itemId: id, amount: 1n })
      }),
    )
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect((await countOf('max')) - before).toBeLessThanOrEqual(4 * KINDS_MAX)
    expect((await countOf('max')) - before).toBeGreaterThan(0)
  })
})

async function countOf(prefix: string): Promise<number> {
  const [row] = await database.sql<[{ count: number }]>`
    SELECT count(*)::integer FROM audit_entries WHERE user_id LIKE ${`${prefix}%`}`
  return row.count
}

it('is read page by page, newest first, without gap or repeat', async () => {
  const itemId = await putItem()
  const ann = await as('ann')
  for (let amount = 100n; amount < 107n; amount += 1n) await ann.placeBid({ itemId, amount })
  const versions: bigint[] = []
  let pageToken = ''
  do {
    const page = await olga.listAuditEntries({ itemId, pageSize: 3, pageToken })
    versions.push(...page.entries.map(({ version }) => version))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  const { nextPageToken: token } = await olga.listAuditEntries({ itemId, pageSize: 3 })
  const until = timestampFromMs(Date.now() + 1_000)
  await expect(olga.listAuditEntries({ itemId, until, pageToken: token })).rejects.toThrow(
    /does not belong/,
  )
  expect(versions).toEqual([8n, 7n, 6n, 5n, 4n, 3n, 2n, 1n])
  const since = timestampFromMs(Date.now() + 60_000)
  expect((await olga.listAuditEntries({ itemId, since })).entries).toEqual([])
})

it('is dropped by whole months when it is old enough', async () => {
  const { sql } = database
  const months = () => sql`
    SELECT inhrelid::regclass::text AS name FROM pg_inherits
    WHERE inhparent = 'audit_entries'::regclass ORDER BY name`
  const before = await months()
  await sql`CREATE TABLE audit_entries_2020_01 (LIKE audit_entries INCLUDING ALL)`
  await sql.unsafe(`
    ALTER TABLE audit_entries DETACH PARTITION ${String(before[0]?.['name'])};
    ALTER TABLE audit_entries ATTACH PARTITION audit_entries_2020_01
      FOR VALUES FROM (MINVALUE) TO ('2020-02-01 00:00:00+00')`)
  expect(await dropAuditMonths(sql, 90)).toBe(1)
  expect(await dropAuditMonths(sql, 90)).toBe(0)
  expect(await months()).toEqual(before.slice(1))
})
