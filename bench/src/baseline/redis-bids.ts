/**
 * What a bid costs without a relational database: the same rules in a script of Redis, which decides and writes a bid in
 * one step. An item is a hash, its bids a list, the outbox a stream. It leaves out what the bench's bids do not need: soft
 * close, price bands, idempotency keys, history.
 */
import type { Redis } from 'ioredis'

export type ItemTerms = {
  sellerId: string
  /** Minor units, as all money here. */
  startPrice: number
  minIncrement: number
  durationMs: number
}

export type RedisBid = { id: string; itemId: string; userId: string; amount: string }

export type RedisDecision = {
  /** Empty when the bid was accepted; else as `BidRejectionReason` has it. */
  reason: string
  /** After the bid; zeros of an item that is not there. Minor units. */
  price: number
  minimum: number
  endMs: number
  /** Of an accepted bid. */
  sequence: number
  atMs: number
}

export const outboxKey = 'outbox'
export const itemKey = (id: string): string => `item:${id}`
export const bidsKey = (id: string): string => `bids:${id}`

/**
 * In the order in which `decide.ts` asks. Numbers are doubles: exact below 2^53 minor units. The clock is that of Redis, which
 * decides one bid at a time.
 */
const script = `
local seller, start_price, increment, status, start_ms, end_ms, price, sequence = unpack(redis.call('HMGET', KEYS[1],
  'seller', 'start_price', 'min_increment', 'status', 'start_ms', 'end_ms', 'price', 'sequence'))
if not seller then return {'ITEM_NOT_FOUND', 0, 0, 0} end
local bid, user, amount = ARGV[1], ARGV[2], tonumber(ARGV[3])
start_ms, end_ms, sequence = tonumber(start_ms), tonumber(end_ms), tonumber(sequence)
local minimum = sequence == 0 and tonumber(start_price) or tonumber(price) + tonumber(increment)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local reason
if status == 'cancelled' then reason = 'CANCELLED'
elseif status == 'ended' or now_ms >= end_ms then reason = 'ENDED'
elseif now_ms < start_ms then reason = 'NOT_STARTED'
elseif user == seller then reason = 'OWN_ITEM'
elseif amount < minimum then reason = 'TOO_LOW' end
if reason then return {reason, tonumber(price), minimum, end_ms} end

sequence = sequence + 1
redis.call('HSET', KEYS[1], 'price', amount, 'leader', user, 'sequence', sequence)
redis.call('RPUSH', KEYS[2], table.concat({bid, user, ARGV[3], sequence, now_ms}, ' '))
redis.call('XADD', KEYS[3], '*', 'type', 'bid.placed', 'item', ARGV[4], 'version', sequence + 1, 'bid', bid, 'user', user,
  'amount', amount, 'at', now_ms)
return {'', amount, amount + tonumber(increment), end_ms, sequence, now_ms}
`

export type PlaceRedisBid = (bid: RedisBid) => Promise<RedisDecision>

/** Loads the script. What it returns decides and keeps one bid: once it resolves, the bid is on disk if Redis was told so. */
export async function redisBids(redis: Redis): Promise<PlaceRedisBid> {
  const sha = String(await redis.script('LOAD', script))
  return async ({ id, itemId, userId, amount }) => {
    const keys = [itemKey(itemId), bidsKey(itemId), outboxKey]
    const answer = await redis.evalsha(sha, keys.length, ...keys, id, userId, amount, itemId)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the script returns
    const [reason, ...numbers] = answer as [string, ...number[]]
    const [price = 0, minimum = 0, endMs = 0, sequence = 0, atMs = 0] = numbers
    return { reason, price, minimum, endMs, sequence, atMs }
  }
}

/** Puts an item up that is open from now on. */
export async function putUpRedisItem(redis: Redis, id: string, terms: ItemTerms): Promise<void> {
  const startMs = Date.now()
  await redis.hset(itemKey(id), {
    seller: terms.sellerId,
    start_price: terms.startPrice,
    min_increment: terms.minIncrement,
    status: 'active',
    start_ms: startMs,
    end_ms: startMs + terms.durationMs,
    price: 0,
    leader: '',
    sequence: 0,
  })
}
