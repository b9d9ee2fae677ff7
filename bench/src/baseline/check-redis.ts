/**
 * Bids in Redis held against what bidders were told, as the invariants of the platform have it: I1 every acknowledged bid
 * exists exactly once; I2 sequences gapless and amounts rising; I3 the item is as its last bid left it; and the outbox has
 * each item's bids once and in order.
 */
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import type { Redis } from 'ioredis'
import { bidsKey, itemKey, outboxKey } from './redis-bids.ts'

/** An item as Redis holds it. */
export type StoredItem = {
  id: string
  price: number
  leader: string
  sequence: number
  /** In the order of the list. */
  bids: { id: string; userId: string; amount: number; sequence: number }[]
  /** Ids of the bids that the outbox tells of, in order. */
  told: string[]
}

/** Shown of all: the first few say what is wrong. */
const shown = 10
/** Entries of the outbox read at once. */
const entriesPerRead = 10_000

/** Violations as lines. Nothing bids meanwhile. */
export async function checkRedis(
  redis: Redis,
  ids: readonly string[],
  ledger: readonly LedgerEntry[],
): Promise<string[]> {
  const outbox = await readOutbox(redis)
  const items: StoredItem[] = []
  for (const id of ids) items.push(await readItem(redis, id, outbox.get(id) ?? []))
  const found = violationsOf(items, ledger)
  const more = found.length - shown
  return more > 0 ? [...found.slice(0, shown), `… and ${more} more`] : found
}

async function readItem(redis: Redis, id: string, told: string[]): Promise<StoredItem> {
  const { price, leader = '', sequence } = await redis.hgetall(itemKey(id))
  const rows = await redis.lrange(bidsKey(id), 0, -1)
  const bids = rows.map((row) => {
    const [bid = '', userId = '', amount, place] = row.split(' ')
    return { id: bid, userId, amount: Number(amount), sequence: Number(place) }
  })
  return { id, price: Number(price), leader, sequence: Number(sequence), bids, told }
}

/** Bids that were told of, by item. */
async function readOutbox(redis: Redis): Promise<Map<string, string[]>> {
  const told = new Map<string, string[]>()
  for (let from = '-'; ;) {
    const entries = await redis.xrange(outboxKey, from, '+', 'COUNT', entriesPerRead)
    for (const [, fields] of entries) {
      const item = fields[fields.indexOf('item') + 1] ?? ''
      const bids = told.get(item) ?? []
      bids.push(fields[fields.indexOf('bid') + 1] ?? '')
      told.set(item, bids)
    }
    const last = entries.at(-1)
    if (last === undefined) return told
    from = `(${last[0]}`
  }
}

/** What is wrong with these items, held against the acknowledgements. */
export function violationsOf(
  items: readonly StoredItem[],
  ledger: readonly LedgerEntry[],
): string[] {
  const found: string[] = []
  const stored = new Map<string, string>()
  for (const item of items) {
    found.push(...faultsOf(item).map((fault) => `redis: item ${item.id}: ${fault}`))
    for (const bid of item.bids) {
      if (stored.has(bid.id)) found.push(`redis: I1: bid ${bid.id} is stored more than once`)
      stored.set(bid.id, describe(item.id, bid.userId, bid.amount, bid.sequence))
    }
  }
  for (const { bidId, itemId, userId, amount, sequence } of ledger) {
    const told = describe(itemId, userId, amount, sequence)
    const kept = stored.get(bidId) ?? 'nothing'
    if (kept !== told) found.push(`redis: I1: acknowledged ${told}, stored ${kept}`)
  }
  return found
}

function faultsOf({ bids, told, price, leader, sequence }: StoredItem): string[] {
  const faults: string[] = []
  for (const [index, bid] of bids.entries()) {
    if (bid.sequence !== index + 1) faults.push(`I2: bid ${index + 1} has sequence ${bid.sequence}`)
    const before = bids[index - 1]?.amount ?? 0
    if (bid.amount <= before) faults.push(`I2: ${bid.amount} follows ${before}`)
  }
  const { amount = 0, userId = '' } = bids.at(-1) ?? {}
  if (price !== amount || leader !== userId || sequence !== bids.length) {
    faults.push(`I3: ${bids.length} bids up to ${amount}, the item has ${sequence} up to ${price}`)
  }
  if (told.join() !== bids.map(({ id }) => id).join()) {
    faults.push(`the outbox tells of ${told.length} bids, not of these ${bids.length} in order`)
  }
  return faults
}

function describe(
  itemId: string,
  userId: string,
  amount: number | bigint,
  sequence: number | bigint,
): string {
  return `bid ${sequence} of ${amount} by ${userId} on ${itemId}`
}
