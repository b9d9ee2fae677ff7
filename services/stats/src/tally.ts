/**
 * A batch of facts added up per key, before it touches the database: sums, highest, first and last. Order
 * and grouping make no difference, which is what lets events arrive in any order. Keys come out sorted, so
 * that two consumers take row locks in the same order and cannot deadlock.
 */
import type { BidFact, EndFact, Fact } from './facts.ts'

export type UserTally = {
  userId: string
  bids: bigint
  amount: bigint
  highestBid: bigint
  itemsWon: bigint
  amountWon: bigint
  /** Absent when the user only won something in this batch. */
  firstBidAtMs: number | undefined
  lastBidAtMs: number | undefined
  lastUpdatedAtMs: number
}

export type ItemTally = {
  itemId: string
  bids: bigint
  highestBid: bigint
  firstBidAtMs: number | undefined
  lastBidAtMs: number | undefined
  end: EndFact | undefined
}

export type PairTally = {
  itemId: string
  userId: string
  bids: bigint
  amount: bigint
  highestBid: bigint
}

export type ActivityTally = { minuteMs: number; userId: string; bids: bigint; amount: bigint }

export type Tally = {
  users: UserTally[]
  items: ItemTally[]
  pairs: PairTally[]
  activity: ActivityTally[]
}

const MINUTE_MS = 60_000

/** Adds up facts, each of which must be there once. */
export function tallyFacts(facts: readonly Fact[]): Tally {
  const users = new Map<string, UserTally>()
  const items = new Map<string, ItemTally>()
  const pairs = new Map<string, PairTally>()
  const activity = new Map<string, ActivityTally>()
  for (const fact of facts) {
    const item = entry(items, fact.itemId, () => newItem(fact.itemId))
    if (fact.kind === 'end') {
      item.end = fact
      if (fact.outcome === 'sold') {
        addWin(
          entry(users, fact.winnerId, () => newUser(fact.winnerId)),
          fact,
        )
      }
      continue
    }
    addBid(item, fact)
    addUserBid(
      entry(users, fact.userId, () => newUser(fact.userId)),
      fact,
    )
    addToPair(
      entry(pairs, `${fact.itemId} ${fact.userId}`, () => newPair(fact)),
      fact,
    )
    const minuteMs = fact.atMs - (fact.atMs % MINUTE_MS)
    const newMinute = () => ({ minuteMs, userId: fact.userId, bids: 0n, amount: 0n })
    const minute = entry(
      activity,
      `${String(minuteMs).padStart(16, '0')} ${fact.userId}`,
      newMinute,
    )
    minute.bids += 1n
    minute.amount += fact.amount
  }
  return {
    users: sorted(users),
    items: sorted(items),
    pairs: sorted(pairs),
    activity: sorted(activity),
  }
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

function sorted<Value>(map: ReadonlyMap<string, Value>): Value[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
}

function newUser(userId: string): UserTally {
  return {
    userId,
    bids: 0n,
    amount: 0n,
    highestBid: 0n,
    itemsWon: 0n,
    amountWon: 0n,
    firstBidAtMs: undefined,
    lastBidAtMs: undefined,
    lastUpdatedAtMs: 0,
  }
}

function newItem(itemId: string): ItemTally {
  return {
    itemId,
    bids: 0n,
    highestBid: 0n,
    firstBidAtMs: undefined,
    lastBidAtMs: undefined,
    end: undefined,
  }
}

function newPair({ itemId, userId }: BidFact): PairTally {
  return { itemId, userId, bids: 0n, amount: 0n, highestBid: 0n }
}

function addBid(tally: ItemTally | UserTally, { amount, atMs }: BidFact): void {
  tally.bids += 1n
  if (amount > tally.highestBid) tally.highestBid = amount
  tally.firstBidAtMs = Math.min(tally.firstBidAtMs ?? atMs, atMs)
  tally.lastBidAtMs = Math.max(tally.lastBidAtMs ?? atMs, atMs)
}

function addUserBid(user: UserTally, bid: BidFact): void {
  addBid(user, bid)
  user.amount += bid.amount
  user.lastUpdatedAtMs = Math.max(user.lastUpdatedAtMs, bid.atMs)
}

function addWin(user: UserTally, end: EndFact): void {
  user.itemsWon += 1n
  user.amountWon += end.hammerPrice
  user.lastUpdatedAtMs = Math.max(user.lastUpdatedAtMs, end.atMs)
}

function addToPair(pair: PairTally, { amount }: BidFact): void {
  pair.bids += 1n
  pair.amount += amount
  if (amount > pair.highestBid) pair.highestBid = amount
}
