import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import { describe, expect, it } from 'vitest'
import { defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import { created } from '@bidmesh/auction/evolve.ts'
import { decideBatch, keyOf, type PlacedBid } from './decide-batch.ts'
import { NO_HASH } from './event-chain.ts'
import { stateToRow } from './item-row.ts'
import { bidOn } from './test-item.ts'

const startMs = Date.UTC(2026, 0, 1)
const endMs = startMs + 3_600_000
const itemId = '018f0000-0000-7000-8000-000000000001'

const terms = {
  itemId,
  sellerId: 'seller',
  currency: 'USD',
  format: 'english',
  startPrice: 100n,
  minIncrement: 0n,
  startAtMs: startMs,
  endAtMs: endMs,
  softClose: { ...defaultSoftClose, maxExtensions: 2 },
} as const
const open = created({ type: 'created', version: 1n, atMs: startMs, terms })
const led = { currentHighestBid: 100n, highestBidderId: 'ann', sequence: 1n }

function locked(changes: Partial<typeof open>, nowMs: number) {
  const row = stateToRow({ ...open, ...changes })
  return [{ ...row, history_hash: NO_HASH, now: new Date(nowMs) }]
}

const bid: PlacedBid = {
  id: 'bid',
  itemId,
  userId: 'ann',
  amount: 100n,
  sequence: 1n,
  createdAtMs: startMs,
}
const earlier = new Map([[keyOf('ann', 'key'), bid]])

describe('an idempotency key', () => {
  it.each([
    ['outbid since', { ...led, currentHighestBid: 500n, sequence: 9n }, startMs],
    ['after the end', led, endMs + 1],
    ['after the closing', { ...led, status: 'ended', outcome: 'sold' } as const, endMs + 1],
  ])('answers a repeated bid with what it placed: %s', (_when, changes, nowMs) => {
    const entry = bidOn(itemId, { amount: 100n, idempotencyKey: 'key' })
    const { outcomes, events } = decideBatch([entry], locked(changes, nowMs), earlier)
    expect(outcomes).toMatchObject([{ kind: 'repeated', bid }])
    expect(events).toEqual([])
  })

  it.each([
    ['another amount', bid, 101n],
    ['another item', { ...bid, itemId: 'other' }, 100n],
  ])('is rejected for %s', (_what, before, amount) => {
    const placed = new Map([[keyOf('ann', 'key'), before]])
    const entry = bidOn(itemId, { amount, idempotencyKey: 'key' })
    const { outcomes } = decideBatch([entry], locked(led, startMs), placed)
    expect(outcomes).toMatchObject([{ kind: 'rejected', rejection: 'key_reused' }])
  })

  it('counts within a batch, too', () => {
    const entry = bidOn(itemId, { amount: 100n, idempotencyKey: 'new' })
    const { outcomes, bids } = decideBatch([entry, entry], locked({}, startMs))
    expect(outcomes).toMatchObject([{ kind: 'accepted' }, { kind: 'repeated', bid: bids[0] }])
    expect(bids).toHaveLength(1)
  })
})

describe('commands of one batch', () => {
  const by = { userId: 'seller', operator: false }
  const other = { idempotencyKey: '', trace: {}, origin: noOrigin }
  const edit = { itemId, command: { kind: 'edit' as const, by, texts: { title: 'B' } }, ...other }
  const cancel = { itemId, command: { kind: 'cancel' as const, by, reason: 'broken' }, ...other }

  it('see what those before them have made, whatever their kind', () => {
    const rows = locked({}, startMs).map((row) => ({ ...row, title: 'A', category: 'home' }))
    const batch = decideBatch([edit, bidOn(itemId, { amount: 100n }), cancel], rows)
    expect(batch.outcomes).toMatchObject([
      { kind: 'changed' },
      { kind: 'accepted' },
      { kind: 'rejected', rejection: 'has_bids' },
    ])
    expect(batch.events.map(({ type }) => type)).toEqual(['item.updated', 'bid.placed'])
    expect(batch.texts.get(itemId)).toEqual({ title: 'B' })
    expect(batch.changed.get(itemId)?.state).toMatchObject({ version: 3n, sequence: 1n })
  })

  it('on items that are not locked have no outcome', () => {
    expect(decideBatch([edit], []).outcomes).toEqual([undefined])
  })
})
