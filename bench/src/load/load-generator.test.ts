/** The bidders against an auction of a few lines, in this process. */
import { randomUUIDv7 } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bidRejected } from '@bidmesh/bid/errors.ts'
import { errorToJson } from '@connectrpc/connect/protocol-connect'
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { type LoadOptions, runLoad } from './load-generator.ts'
import { newItem } from '../scenarios/sample-events.ts'

const items = [randomUUIDv7(), randomUUIDv7()]

let server: Server
let accepted: LedgerEntry[]
let failEvery: number

function decide(body: string): { status: number; body: string } {
  const { itemId, userId, amount } = JSON.parse(body)
  const on = accepted.filter((bid) => bid.itemId === itemId)
  const highest = on.at(-1)?.amount ?? 0n
  if (BigInt(amount) <= highest) {
    const state = { ...newItem(Date.now()), currentHighestBid: highest, sequence: 1n }
    const error = bidRejected('too_low', state)
    return { status: 400, body: JSON.stringify(errorToJson(error, undefined)) }
  }
  const sequence = BigInt(on.length + 1)
  const entry = { bidId: randomUUIDv7(), itemId, userId, amount: BigInt(amount), sequence }
  accepted.push(entry)
  const bid = { id: entry.bidId, sequence: String(sequence), createdAt: new Date().toISOString() }
  return { status: 200, body: JSON.stringify({ bid, minimumNextBid: String(entry.amount + 1n) }) }
}

beforeEach(async () => {
  accepted = []
  failEvery = 0
  let requests = 0
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      requests += 1
      if (failEvery > 0 && requests % failEvery === 0) {
        response.destroy()
        return
      }
      const answer = decide(body)
      response.writeHead(answer.status, { 'content-length': Buffer.byteLength(answer.body) })
      response.end(answer.body)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
})

afterEach(async () => {
  await new Promise((closed) => server.close(closed))
})

function load(changes: Partial<LoadOptions> = {}): LoadOptions {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('not listening')
  return {
    urls: [`http://127.0.0.1:${address.port}`],
    items: items.map((id) => ({ id, nextBid: 1 })),
    bidders: 8,
    sight: 'shared',
    warmUpMs: 20,
    measureMs: 150,
    ...changes,
  }
}

function byId(entries: readonly LedgerEntry[]): LedgerEntry[] {
  return entries.toSorted((a, b) => (a.bidId < b.bidId ? -1 : 1))
}

describe('runLoad', () => {
  it('has every acknowledgement in its ledger, as the server decided it', async () => {
    const result = await runLoad(load())
    expect(result.accepted).toBeGreaterThan(20)
    expect(byId(result.ledger)).toEqual(byId(accepted))
    expect(result.failed).toEqual({})
  })

  it('returns prices from which the next load goes on without a rejection', async () => {
    const first = await runLoad(load({ bidders: 1 }))
    const next = items.map((id, index) => ({ id, nextBid: first.nextBids[index] ?? 0 }))
    const second = await runLoad(load({ bidders: 1, items: next }))
    expect(second.rejected).toEqual({})
    expect(second.accepted).toBeGreaterThan(0)
  })

  it('learns the price from rejections when bidders see only their own answers', async () => {
    const result = await runLoad(load({ sight: 'own' }))
    expect(result.rejected['too_low']).toBeGreaterThan(0)
    expect(result.accepted).toBeGreaterThan(0)
    expect(byId(result.ledger)).toEqual(byId(accepted))
  })

  it('keeps to its rate, however fast the answers are', async () => {
    const result = await runLoad(load({ ratePerSecond: 200, measureMs: 400 }))
    const decided = result.accepted + (result.rejected['too_low'] ?? 0)
    // As fast as it could it would be thousands; a busy machine only bunches arrivals.
    const perSecond = decided / (result.measuredMs / 1_000)
    expect(perSecond).toBeGreaterThan(50)
    expect(perSecond).toBeLessThan(400)
  })

  it('shares its bidders evenly among processes', async () => {
    const [url = ''] = load().urls
    const other = createServer((_, response) =>
      response.writeHead(503, { 'content-length': 0 }).end(),
    )
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening))
    const address = other.address()
    if (typeof address !== 'object' || address === null) throw new Error('not listening')
    const urls = [url, `http://127.0.0.1:${address.port}`]
    const result = await runLoad(load({ bidders: 6, urls }))
    await new Promise((closed) => other.close(closed))
    const bidders = new Set(result.ledger.map(({ userId }) => userId))
    expect([...bidders].toSorted()).toEqual(['bidder-0', 'bidder-2', 'bidder-4'])
    expect(result.failed['http_503']).toBeGreaterThan(0)
  })

  it('counts a lost connection as a failure and bids on with a new one', async () => {
    failEvery = 20
    const result = await runLoad(load({ measureMs: 500 }))
    const failures = Object.values(result.failed).reduce((sum, count) => sum + count, 0)
    expect(failures).toBeGreaterThan(0)
    expect(result.accepted).toBeGreaterThan(failures)
    expect(byId(result.ledger)).toEqual(byId(accepted))
  })
})
