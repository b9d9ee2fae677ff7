/**
 * A batch of facts added up per key, before it touches the database: sums, highest, first and last. Order
 * and grouping make no difference, which is what lets events arrive in any order. Keys come out sorted, so
 * that two consumers take row locks in the same order and cannot deadlock. Money is only ever added to money
 * of the same currency.
 */
import type { BidFact, EndFact, Fact } from './facts.ts'

export type UserTally = {
  userId: string
  bids: bigint
  itemsWon: bigint
  /** Absent when the user only won something in this batch. */
  firstBidAtMs: number | undefined
  lastBidAtMs: number | undefined
  lastUpdatedAtMs: number
}

/** A user's money in one currency. */
export type AmountTally = {
  userId: string
  currency: string
  amount: bigint
  highestBid: bigint
  amountWon: bigint
}

export type ItemTally = {
  itemId: string
  currency: string
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

export type ActivityTally = {
  minuteMs: number
  userId: string
  currency: string
  bids: bigint
  amount: bigint
}

export type Tally = {
  users: UserTally[]
  amounts: AmountTally[]
  items: ItemTally[]
  pairs: PairTally[]
  activity: ActivityTally[]
}

type Tallies = { [Name in keyof Tally]: Map<string, Tally[Name][number]> }

const MINUTE_MS = 60_000

/** Adds up facts, each of which must be there once. */
export function tallyFacts(facts: readonly Fact[]): Tally {
  const tallies: Tallies = {
    users: new Map(),
    amounts: new Map(),
    items: new Map(),
    pairs: new Map(),
    activity: new Map(),
  }
  for (const fact of facts) {
    if (fact.kind === 'bid') addBid(tallies, fact)
    else addEnd(tallies, fact)
  }
  return {
    users: sorted(tallies.users),
    amounts: sorted(tallies.amounts),
    items: sorted(tallies.items),
    pairs: sorted(tallies.pairs),
    activity: sorted(tallies.activity),
  }
}

function addBid(tallies: Tallies, bid: BidFact): void {
  const { userId, amount, atMs } = bid
  const item = itemOf(tallies, bid)
  item.bids += 1n
  item.highestBid = larger(item.highestBid, amount)
  addTime(item, atMs)
  const user = userOf(tallies, userId)
  user.bids += 1n
  user.lastUpdatedAtMs = Math.max(user.lastUpdatedAtMs, atMs)
  addTime(user, atMs)
  const money = amountsOf(tallies, userId, bid.currency)
  money.amount += amount
  money.highestBid = larger(money.highestBid, amount)
  const pair = pairOf(tallies, bid)
  pair.bids += 1n
  pair.amount += amount
  pair.highestBid = larger(pair.highestBid, amount)
  const minute = minuteOf(tallies, bid)
  minute.bids += 1n
  minute.amount += amount
}

function addEnd(tallies: Tallies, end: EndFact): void {
  itemOf(tallies, end).end = end
  if (end.outcome !== 'sold') return
  const winner = userOf(tallies, end.winnerId)
  winner.itemsWon += 1n
  winner.lastUpdatedAtMs = Math.max(winner.lastUpdatedAtMs, end.atMs)
  amountsOf(tallies, end.winnerId, end.currency).amountWon += end.hammerPrice
}

function addTime(tally: ItemTally | UserTally, atMs: number): void {
  tally.firstBidAtMs = Math.min(tally.firstBidAtMs ?? atMs, atMs)
  tally.lastBidAtMs = Math.max(tally.lastBidAtMs ?? atMs, atMs)
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

function sorted<Value>(map: ReadonlyMap<string, Value>): Value[] {
  return [...map.keys()].toSorted().flatMap((key) => map.get(key) ?? [])
}

function userOf({ users }: Tallies, userId: string): UserTally {
  return entry(users, userId, () => ({
    userId,
    bids: 0n,
    itemsWon: 0n,
    firstBidAtMs: undefined,
    lastBidAtMs: undefined,
    lastUpdatedAtMs: 0,
  }))
}

function amountsOf({ amounts }: Tallies, userId: string, currency: string): AmountTally {
  const none = { amount: 0n, highestBid: 0n, amountWon: 0n }
  return entry(amounts, `${currency} ${userId}`, () => ({ userId, currency, ...none }))
}

function itemOf({ items }: Tallies, { itemId, currency }: Fact): ItemTally {
  return entry(items, itemId, () => ({
    itemId,
    currency,
    bids: 0n,
    highestBid: 0n,
    firstBidAtMs: undefined,
    lastBidAtMs: undefined,
    end: undefined,
  }))
}

function pairOf({ pairs }: Tallies, { itemId, userId }: BidFact): PairTally {
  const none = { bids: 0n, amount: 0n, highestBid: 0n }
  return entry(pairs, `${itemId} ${userId}`, () => ({ itemId, userId, ...none }))
}

function minuteOf({ activity }: Tallies, { atMs, userId, currency }: BidFact): ActivityTally {
  const minuteMs = atMs - (atMs % MINUTE_MS)
  const key = `${minuteMs} ${currency} ${userId}`
  return entry(activity, key, () => ({ minuteMs, userId, currency, bids: 0n, amount: 0n }))
}
